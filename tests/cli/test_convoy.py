"""``squad convoy``."""

from __future__ import annotations

import json

import pytest

from tests.cli.a_store import Story
from tests.cli.a_tree import saved, tree
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway, refusal


@pytest.fixture
def live(gateway: FakeGateway, story: Story) -> FakeGateway:
    gateway.on("GET /v1/tree", lambda _: (200, tree()))
    story.resized("checker", 0, 2, "start")
    story.resized("other", 0, 9, "start")
    story.resized("checker", 2, 3, "40 messages wait")
    return gateway


class TestSeeing:
    def test_the_list(self, run: Run, live: FakeGateway) -> None:
        result = run("convoy", "list")
        assert (result.exit_code, result.stderr) == (0, "")
        assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
            "CONVOY STATE SIZE TARGET MIN MAX PINNED QUEUE HAND REASON",
            "checker resizing 2 3 2 8 no 40 1 40 messages wait",
        ]

    def test_one_with_its_workers_and_history(self, run: Run, live: FakeGateway) -> None:
        shown = run("convoy", "show", "checker").stdout
        blocks = shown.split("\n\n")
        assert blocks[0].splitlines()[0] == "checker"
        assert [line.split()[0] for line in blocks[1].splitlines()] == ["WORKER", "checker-1", "checker-2"]
        assert [line.split()[1:3] for line in blocks[2].splitlines()[1:]] == [["2", "3"], ["0", "2"]]
        document = json.loads(run("convoy", "show", "checker", "-o", "json").stdout)
        assert [worker["name"] for worker in document["workers"]] == ["checker-1", "checker-2"]
        assert document["resizes"][0]["readings"] == {"cpu_percent": 12.5}

    def test_a_convoy_that_there_is_not(self, run: Run, live: FakeGateway) -> None:
        result = run("convoy", "show", "cheker")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "did you mean 'checker'?" in result.stderr
        assert run("convoy", "show", "scanner").exit_code == 2

    def test_without_a_squad_what_was_saved_is_shown_and_marked(self, run: Run, live: FakeGateway) -> None:
        live.home.tree.write_text(json.dumps(saved(tree(), 60)))
        live.vanish()
        live.release_lock()
        for args in (("list",), ("show", "checker")):
            result = run("convoy", *args)
            assert result.exit_code == 3
            assert "checker" in result.stdout
            assert result.stderr == "no squad is running: this is how it was 1m ago\n"

    def test_a_squad_without_convoys(self, run: Run, live: FakeGateway) -> None:
        live.on("GET /v1/tree", (200, tree() | {"actors": []}))
        result = run("convoy", "list")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no convoys\n")


class TestResize:
    @pytest.mark.parametrize(("size", "asked"), [("4", 4), ("auto", "auto")])
    def test_the_gateway_is_told(self, run: Run, gateway: FakeGateway, size: str, asked: int | str) -> None:
        answer = {"convoy": "checker", "size": 4, "pinned": size != "auto"}
        gateway.on("POST /v1/convoys/checker/resize", (200, answer))
        result = run("convoy", "resize", "checker", size)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "checker: 4 workers" in result.stderr
        assert ("sized by the monitor" in result.stderr) == (size == "auto")
        assert gateway.requests[0].json == {"size": asked}
        document = json.loads(run("convoy", "resize", "checker", size, "-o", "json").stdout)
        assert document == {"schema_version": 1, **answer}

    @pytest.mark.parametrize("size", ["four", "-1", "4.5", "", "٤", "9" * 30, "AUTO"])
    def test_sizes_that_are_none(self, run: Run, gateway: FakeGateway, size: str) -> None:
        result = run("convoy", "resize", "checker", "--", size)
        assert result.exit_code == 2
        assert "is no size for a convoy" in result.stderr
        assert gateway.requests == []

    def test_what_the_gateway_refuses(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/convoys/checker/resize", refusal(422, "size must be from 2 to 8", 2, "see min and max"))
        result = run("convoy", "resize", "checker", "50")
        assert (result.exit_code, result.stderr) == (2, "squad: size must be from 2 to 8\nhint: see min and max\n")
