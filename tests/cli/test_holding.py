"""``squad pause``, ``resume``, ``freeze``, ``thaw`` and ``inspect --why``: what they ask, and what they print."""

from __future__ import annotations

import json
from typing import Any

import pytest

from squad.cli.holding import me
from squad.store.holds import Holds, Pause
from tests.cli.a_store import Story
from tests.cli.a_tree import ago, row, tree
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway, refusal

HELD = {"since": ago(176_460), "by": "root", "reason": "a look"}


def on_hold(gateway: FakeGateway, *paused: str, frozen: dict[str, Any] | None = None) -> None:
    gateway.on("GET /v1/holds", (200, {"frozen": frozen, "paused": [{"name": name, **HELD} for name in paused]}))


class TestPausing:
    def test_pause(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/pause", (200, {"paused": ["a"], "already": ["b"]}))
        on_hold(gateway, "a", "b", "c")
        result = run("pause", "a", "b", "--reason", "a look")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "paused already: b\npaused: a; squad resume a b\n"
        assert gateway.requests[0].json == {"names": ["a", "b"], "reason": "a look", "by": me()}
        document = json.loads(run("pause", "a", "b", "-o", "json").stdout)
        assert (document["paused"], document["already"]) == (["a"], ["b"])

    def test_everybody(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/pause", (200, {"paused": ["a", "b"]}))
        on_hold(gateway, "a", "b")
        assert run("pause").stderr == "paused: a, b; squad resume\n"
        gateway.on("POST /v1/pause", (200, {"paused": []}))
        assert run("pause").stderr == "paused already: a, b\n"

    def test_an_unknown_name(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/pause", refusal(404, "no agent or convoy is called 'x'", 2, hint="did you mean 'y'?"))
        result = run("pause", "x")
        assert result.exit_code == 2
        assert "did you mean 'y'?" in result.stderr

    def test_resume(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/resume", (200, {"resumed": ["a"], "already": ["b"]}))
        assert run("resume", "a", "b").stderr == "not paused: b\nresumed: a\n"
        gateway.on("POST /v1/resume", (200, {"resumed": []}))
        assert run("resume").stderr == "nobody is paused\n"


class TestFreezing:
    def test_freeze(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/freeze", (200, {"already": False}))
        on_hold(gateway, frozen=HELD)
        result = run("freeze", "--reason", "a look")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "THE SQUAD IS FROZEN (for 2d 1h, by root: a look)" in result.stderr
        assert result.stderr.endswith("handlers that still run have 5.0s\n")
        run("freeze", "--grace", "1m")
        run("freeze", "--let-finish")
        assert [request.json["grace"] for request in gateway.requests] == [5.0, 60.0, None]
        gateway.on("POST /v1/freeze", (200, {"already": True}))
        result = run("freeze", "-o", "json")
        assert json.loads(result.stdout) == {"schema_version": 1, "changed": False, "frozen": HELD}
        assert run("freeze").stderr.startswith("the squad was frozen already\n")

    def test_two_graces(self, run: Run, gateway: FakeGateway) -> None:
        result = run("freeze", "--grace", "0", "--let-finish")
        assert (result.exit_code, gateway.requests) == (2, [])

    def test_thaw(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/thaw", (200, {"thawed": True}))
        on_hold(gateway, "a")
        assert run("thaw").stderr == "the squad goes on\nstill paused: a; squad resume\n"
        gateway.on("POST /v1/thaw", (200, {"thawed": False}))
        on_hold(gateway)
        assert run("thaw").stderr == "the squad was not frozen\n"


class TestWhoeverSends:
    def test_is_told_what_is_on_hold(self, run: Run, gateway: FakeGateway) -> None:
        on_hold(gateway, "a")
        assert run("send", "a", "t").stderr == "a is paused: what is sent waits until squad resume a\n"
        assert run("send", "b", "t").stderr == ""
        on_hold(gateway, "a", frozen=HELD)
        assert run("send", "b", "t").stderr == "the squad is frozen: what is sent waits until squad thaw\n"
        result = run("send", "--batch", "-", input='{"recipient": "b", "type": "t"}')
        assert result.stderr == "the squad is frozen: what is sent waits until squad thaw\n"

    def test_need_not_care_whether_that_can_be_said(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("GET /v1/holds", refusal(404, "/v1/holds is not there", 2))
        result = run("send", "a", "t")
        assert (result.exit_code, result.stderr) == (0, "")


def test_the_tree_shows_what_is_on_hold(run: Run, gateway: FakeGateway) -> None:
    frozen, paused = {"kind": "frozen", **HELD}, {"kind": "paused", **HELD}
    actors = [row("supervisor", "supervisor", parent=None, state="ready", held=frozen), row("scanner", held=paused)]
    gateway.on("GET /v1/tree", (200, tree() | {"actors": actors}))
    result = run("inspect")
    assert "ready (frozen)" in result.stdout
    assert "idle (paused)" in result.stdout
    assert result.stderr.startswith("THE SQUAD IS FROZEN (for 2d 1h, by root: a look)")


class TestWhy:
    @pytest.fixture
    def task(self, story: Story) -> str:
        return story.sent("scanner", "scan")

    def test_a_running_squad_says_it(self, run: Run, gateway: FakeGateway, task: str) -> None:
        soon = ago(-109_850)  # in 30 hours and a half
        reasons = [
            {"kind": "paused", "text": "it is", "how": "by_hand", "clears_at": None, "command": "squad resume scanner"},
            {"kind": "starting", "text": "so", "how": "unknown", "clears_at": None, "command": None},
            {"kind": "busy", "text": "and so", "how": "at_latest", "clears_at": soon, "command": None},
            {"kind": "retry", "text": "and so", "how": "known", "clears_at": ago(1), "command": None},
            {"kind": "turn", "text": "next", "how": "after", "clears_at": None, "command": None},
        ]
        about = {"id": task, "type": "scan", "sender": "cli", "recipient": "scanner", "priority": 5}
        life = {"status": "queued", "created_at": ago(176_460), "expires_at": soon, "reasons": reasons}
        gateway.on(f"GET /v1/messages/{task}/why", (200, about | life))
        result = run("inspect", "--why", task[-12:])
        assert (result.exit_code, result.stderr) == (0, "")
        head, _, table = result.stdout.partition("\n\n")
        assert head.splitlines()[:2] == [task, "scan from cli to scanner, priority 5"]
        assert head.splitlines()[2] == f"queued; sent 2d 1h ago; it expires at {soon} if it has not begun"
        lines = table.splitlines()
        assert lines[0].split() == ["WHY", "UNTIL", "WHAT", "HOLDS", "IT"]
        assert "squad resume scanner" in lines[1]
        assert "it clears by itself" in lines[2]
        assert f"at the latest {soon} (in 1d 6h)" in lines[3]
        assert "(any moment)" in lines[4]
        assert "after that" in lines[5]

    def test_without_a_squad_the_database_says_it(self, run: Run, story: Story, task: str) -> None:
        story.held(Holds({"scanner": Pause(story.now, "root")}))
        result = run("inspect", "--why", task)
        assert result.exit_code == 3
        kinds = [line.split()[0] for line in result.stdout.partition("\n\n")[2].splitlines()[1:]]
        assert kinds == ["squad", "paused", "turn"]

    def test_a_squad_that_does_not_answer(
        self, run: Run, gateway: FakeGateway, task: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("squad.cli.why._PATIENCE", 0.0)
        gateway.vanish()
        result = run("inspect", "--why", task, "-o", "json")
        assert result.exit_code == 5
        assert json.loads(result.stdout)["reasons"][0]["text"] == "the gateway does not answer"

    def test_what_has_ended(self, run: Run, story: Story) -> None:
        good, bad = story.sent("a", "t"), story.sent("a", "t")
        story.completed(good, {"files": 2})
        story.failed(bad, "ValueError: no")
        assert '"files": 2' in run("inspect", "--why", good).stdout
        stdout = run("inspect", "--why", bad).stdout
        assert "ValueError: no" in stdout
        assert f"squad dead retry {bad}" in stdout

    def test_wrong_usage(self, run: Run, gateway: FakeGateway, task: str) -> None:
        assert run("inspect", "scanner", "--why", task).exit_code == 2
        assert run("inspect", "--watch", "--why", task).exit_code == 2
        assert run("inspect", "--why", "ffffffffffff").exit_code == 2
        assert gateway.requests == []
