"""``squad status`` and ``squad queue``."""

from __future__ import annotations

import json
import re

import pytest

from squad.home import Home
from squad.store.holds import Freeze, Holds, Pause
from tests.cli.a_store import Story
from tests.cli.a_tree import ago, row, saved, tree
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway


def lines(stdout: str) -> dict[str, str]:
    """The first block of ``squad status``, by its words."""
    return dict(line.split(None, 1) for line in stdout.partition("\n\n")[0].splitlines())


@pytest.fixture
def messages(story: Story) -> None:
    story.completed(story.sent("a", "t"))
    story.failed(story.sent("a", "t"))
    story.running(story.sent("a", "t"))
    story.sent("b", "t")


@pytest.mark.usefixtures("messages")
class TestStatus:
    def test_all_is_well(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/tree", (200, tree() | {"actors": [row("scanner"), row("c-1", "worker", state="busy")]}))
        result = run("status")
        assert (result.exit_code, result.stderr) == (0, "")
        told = lines(result.stdout)
        assert told["squad"].startswith("audit, ready, up ")
        assert told["agents"] == "2 of 2 ready"
        assert told["messages"] == "1 queued, 1 running, 1 completed, 1 failed"
        assert "NOT READY" not in result.stdout

    def test_who_is_not_ready_is_named_with_its_error(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/tree", (200, tree()))
        result = run("status")
        assert result.exit_code == 0
        assert lines(result.stdout)["squad"].startswith("audit, not ready")
        assert lines(result.stdout)["agents"] == "3 of 4 ready"
        rest = [" ".join(line.split()) for line in result.stdout.partition("\n\n")[2].splitlines()]
        assert rest == [
            "NOT READY STATE SINCE LAST ERROR",
            "reporter quarantined 3m ValueError: no disk",
            "checker resizing 3m -",
        ]

    def test_one_agent_alone(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/tree", (200, tree() | {"actors": [row("a"), row("b", state="quarantined")]}))
        told = lines(run("status", "--agent", "a").stdout)
        assert told["squad"].startswith("audit, ready")
        assert (told["agent"], told["agents"]) == ("a", "1 of 1 ready")
        assert told["messages"] == "0 queued, 1 running, 1 completed, 1 failed"
        document = json.loads(run("status", "--agent", "b", "-o", "json").stdout)
        assert (document["agent"], document["ready"]) == ("b", False)
        assert [entry["name"] for entry in document["not_ready"]] == ["b"]
        assert document["messages"]["queued"] == 1

    def test_an_agent_that_there_is_not(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/tree", (200, tree()))
        result = run("status", "--agent", "scaner")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is no actor 'scaner' in the squad 'audit'" in result.stderr
        assert "did you mean 'scanner'?" in result.stderr

    def test_agents_that_were_left_out_do_not_keep_it_from_being_ready(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/tree", (200, tree() | {"actors": [row("scanner"), row("reporter", state="stopped")]}))
        document = json.loads(run("status", "-o", "json").stdout)
        assert (document["ready"], document["agents"]) == (True, {"ready": 1, "total": 2})
        assert [entry["name"] for entry in document["not_ready"]] == ["reporter"]

    def test_what_is_on_hold(self, run: Run, gateway: FakeGateway, story: Story) -> None:
        gateway.on("GET /v1/tree", (200, tree() | {"actors": [row("scanner")]}))
        held = Holds({"scanner": Pause(story.now, "root", "a look")}, Freeze(story.now, reason="wrong numbers"))
        story.held(held)
        stdout = run("status").stdout
        assert re.search(r"^paused +scanner \(for .*, by root: a look\)$", stdout, re.MULTILINE)
        assert re.search(r"^THE SQUAD IS FROZEN \(for .*: wrong numbers\): nothing is handled", stdout, re.MULTILINE)
        document = json.loads(run("status", "-o", "json").stdout)
        assert {key: document[key] for key in ("frozen", "paused")} == held.document()

    def test_how_the_store_is_read(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/tree", (200, tree()))
        assert json.loads(run("status", "-o", "json").stdout)["store"] is None
        gateway.on("GET /v1/store", (200, {"pool": {"size": 20}}))
        assert json.loads(run("status", "-o", "json").stdout)["store"] == {"pool": {"size": 20}}

    def test_not_running(self, run: Run, home: Home) -> None:
        home.tree.write_text(json.dumps(saved(tree(), 60)))
        home.last_stop.write_text(json.dumps({"at": ago(7200), "forced": True, "unfinished": [{}, {}]}))
        result = run("status")
        assert (result.exit_code, result.stderr) == (3, "")
        told = lines(result.stdout)
        assert told["squad"] == "audit, not running: stopped 2h ago by force; 2 unfinished and queued again"
        assert told["messages"] == "1 queued, 1 running, 1 completed, 1 failed"
        assert "agents" not in told

    def test_killed_so_that_it_could_not_say_when_it_stopped(self, run: Run, home: Home) -> None:
        result = run("status", "-o", "json")
        assert result.exit_code == 3
        document = json.loads(result.stdout)
        assert (document["running"], document["last_stop"], document["uptime_seconds"]) == (False, None, None)
        assert lines(run("status").stdout)["squad"].endswith(", not running")

    def test_running_and_silent(self, run: Run, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("squad.cli.snapshot._PATIENCE", 0.05)
        gateway.vanish()
        for _ in range(2):  # without and with saved rows
            result = run("status")
            assert result.exit_code == 5
            assert lines(result.stdout)["messages"].startswith("1 queued")
            assert result.stderr
            gateway.home.tree.write_text(json.dumps(saved(tree(), 2)))


def test_a_home_that_was_never_started(run: Run, home: Home) -> None:
    result = run("status")
    assert result.exit_code == 3
    assert lines(result.stdout)["messages"] == "0 queued, 0 running, 0 failed"


class TestQueue:
    def test_depths_by_priority(self, run: Run, story: Story) -> None:
        for priority in (1, 2, 3, 7, 8):
            story.sent("b", "t", priority=priority)
        story.running(story.sent("a", "t"))
        story.sent("a", "t", not_before=story.now + 1e6)
        result = run("queue")
        assert (result.exit_code, result.stderr) == (0, "")
        assert [line.split() for line in result.stdout.splitlines()] == [
            ["AGENT", "QUEUED", "HIGH", "NORMAL", "LOW", "DELAYED", "RUNNING"],
            ["a", "1", "0", "1", "0", "1", "1"],
            ["b", "5", "2", "2", "1", "0", "0"],
        ]
        agents = json.loads(run("queue", "-o", "json").stdout)["agents"]
        numbers = {"queued": 1, "high": 0, "normal": 1, "low": 0, "delayed": 1, "running": 1}
        assert agents[0] == {"agent": "a", **numbers, "held": None}

    def test_who_is_on_hold(self, run: Run, story: Story) -> None:
        story.sent("b", "t")
        story.held(Holds({"a": Pause(story.now, "root", "a look")}))
        lines = [line.split() for line in run("queue").stdout.splitlines()]
        assert lines[0][-1] == "HELD"
        assert [(line[0], line[-1]) for line in lines[1:]] == [("a", "paused"), ("b", "-")]
        document = json.loads(run("queue", "-o", "json").stdout)
        assert [agent["held"] for agent in document["agents"]] == ["paused", None]
        assert (document["frozen"], document["paused"][0]["reason"]) == (None, "a look")
        story.held(Holds(frozen=Freeze(story.now)))
        result = run("queue")
        assert result.stdout.splitlines()[1].split()[-1] == "frozen"
        assert "THE SQUAD IS FROZEN" in result.stderr

    def test_nothing_waits(self, run: Run, story: Story) -> None:
        result = run("queue")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing waits\n")
        assert json.loads(run("queue", "-o", "json").stdout)["agents"] == []

    def test_a_database_of_a_newer_version(self, run: Run, story: Story, home: Home) -> None:
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(home.database)) as connection, connection:
            connection.execute("INSERT INTO schema_version VALUES (99, 'later', '2030-01-01T00:00:00.000Z')")
        result = run("queue")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "newer Squad" in result.stderr
