"""Pausing and freezing in real squads: what goes on, what does not, and what outlives a death."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from squad import Client
from tests.actors.conftest import AGENTS
from tests.running import RunningSquad, eventually

Start = Callable[[str], RunningSquad]
CONFIG = """
agents:
  one: {class: "AGENTS:Worker", send_rate: none, timeout: 10m}
  other: {class: "AGENTS:Worker", send_rate: none}
  napper: {command: [sleep, "600"], handles: [nap]}
types: {nap: {fields: {}}}
convoys:
  pool: {class: "AGENTS:Pool", min: 2, max: 2, send_rate: none}
supervision: {shutdown: 10m, restarts: {intensity: 0}}
"""


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("holds")
    (folder / "squad.yaml").write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    with RunningSquad(folder / "home", folder / "squad.yaml") as squad:
        yield squad


@pytest.fixture
def squad(lasting: RunningSquad) -> Iterator[RunningSquad]:
    """A squad in which nothing is on hold, and nothing is left of other tests."""
    yield lasting
    with Client(lasting.home) as client:
        for row in lasting.query("SELECT task_id FROM tasks WHERE status IN ('queued', 'running')"):
            client.cancel(row["task_id"])
        client.freeze(grace=0)
        eventually(lambda: not lasting.query("SELECT 1 FROM tasks WHERE status IN ('queued', 'running')"), "all ended")
        client.thaw()
        client.resume()
    eventually(lambda: (lasting.health() or {}).get("ready"), "ready again")


def busy(squad: RunningSquad, begun: Path, seconds: float = 600, how: str = "sleep") -> str:
    """A message whose handler runs, for so long."""
    task = squad.send("one", "misbehave", {"how": how, "seconds": seconds, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    return task


def status(squad: RunningSquad, *tasks: str) -> list[str]:
    return [squad.task(task)["status"] for task in tasks]


def held(squad: RunningSquad, name: str) -> str | None:
    """What the tree says that it is."""
    row = squad.tree().get(name) or {}
    return row["held"] and row["held"]["kind"] if row else None


def test_a_paused_agent_ends_what_it_handles_and_takes_nothing_on(squad: RunningSquad, tmp_path: Path) -> None:
    (earlier,) = squad.query("SELECT coalesce(max(id), 0) FROM events")[0]  # of other tests
    with Client(squad.home) as client:
        running = busy(squad, tmp_path / "begun", seconds=1)
        assert client.pause("one", "pool", reason="a look", by="me") == ["one", "pool"]
        assert client.pause("one", "other") == ["other"]
        assert client.resume("other") == ["other"]
        waiting = [squad.send("one", "echo"), squad.send("pool", "echo")]
        squad.wait(running)
        squad.wait(squad.send("other", "echo"))
        assert status(squad, *waiting) == ["queued", "queued"]
        eventually(lambda: held(squad, "one") == held(squad, "pool-2") == "paused", "shown")
        assert held(squad, "other") is None
        assert client.resume() == ["one", "pool"]
        for task in waiting:
            squad.wait(task)
    sql = "SELECT kind, subject, detail FROM events WHERE kind IN ('paused', 'resumed') AND id > ? ORDER BY id"
    recorded = squad.query(sql, earlier)
    assert [(row["kind"], row["subject"]) for row in recorded[:2]] == [("paused", "one"), ("paused", "pool")]
    assert json.loads(recorded[0]["detail"]) == {"by": "me", "reason": "a look"}


def test_what_was_handed_over_and_not_begun_goes_back(squad: RunningSquad, tmp_path: Path) -> None:
    """Quick handlers make the window grow, so that many messages are with the agent and not in the queue."""
    with Client(squad.home) as client:
        for _ in range(3):
            ids = client.send_many({"recipient": "one", "type": "count", "payload": {}} for _ in range(800))
            client.pause("one")
            eventually(lambda: squad.query("SELECT 1 FROM tasks WHERE status = 'running'") == [], "nothing runs")
            client.resume("one")
            squad.wait(ids[-1])
        eventually(lambda: squad.counts().get(("count", "completed")) == 2400, "all were handled")
    counted = squad.query("SELECT result, attempts FROM tasks WHERE type = 'count'")
    assert sorted(json.loads(row["result"]) for row in counted) == list(range(1, 2401))
    assert {row["attempts"] for row in counted} == {1}


def test_holds_outlive_every_death(start: Start) -> None:
    squad = start(CONFIG.replace("intensity: 0", "intensity: 5"))
    with Client(squad.home) as client:
        client.pause("one")
        client.freeze(reason="wrong numbers")
    tasks = [squad.send("one", "echo"), squad.send("other", "echo")]
    for name in ("one", "other", "storage", "gateway", "supervisor", "everything"):
        if name == "everything":
            for pid in squad.processes():
                squad.signal(pid, signal.SIGKILL)
            squad.launcher.wait()
            squad.start()
        else:
            before = squad.kill(name)
            eventually(lambda name=name, before=before: squad.pids(name) not in ([], [before]), f"another {name}")  # type: ignore[misc]
        eventually(lambda: (squad.health() or {}).get("ready"), "ready again")
        eventually(lambda: held(squad, "supervisor") == "frozen" and held(squad, "one") == "paused", "both are shown")
        assert status(squad, *tasks) == ["queued", "queued"]
    assert "the squad is frozen (wrong numbers), since 20" in squad.output()
    with Client(squad.home) as client:
        eventually(lambda: client.holds()["frozen"], "the gateway knows it too")
        client.thaw()
        squad.wait(tasks[1])
        assert status(squad, *tasks) == ["queued", "completed"]
        client.resume("one")
        squad.wait(tasks[0])


def test_a_freeze_ends_what_runs_and_charges_nobody(squad: RunningSquad, tmp_path: Path) -> None:
    tasks = [busy(squad, tmp_path / "begun"), squad.send("napper", "nap"), squad.send("one", "echo")]
    eventually(lambda: any("sleep 600" in line for line in squad.processes().values()), "the command runs")
    with Client(squad.home) as client:
        assert client.freeze(grace=0.2, by="me")
        eventually(lambda: status(squad, *tasks) == ["queued"] * 3, "back in the queue")
        eventually(lambda: not any("sleep 600" in line for line in squad.processes().values()), "the command has gone")
        eventually(lambda: (squad.health() or {}).get("ready"), "they are back: it was no crash")
        assert not squad.query("SELECT 1 FROM attempts JOIN tasks ON task_row = tasks.id WHERE task_id = ?", tasks[0])
        assert {squad.task(task)["attempts"] for task in tasks} == {0}
        late = squad.send("other", "echo")
        assert status(squad, late) == ["queued"]
        client.pause("one", "napper")  # they would begin again
        assert client.thaw(by="me")
        assert not client.thaw()
        squad.wait(late)
    recorded = squad.query(
        "SELECT kind, detail FROM events WHERE kind IN ('frozen', 'thawed') ORDER BY id DESC LIMIT 2"
    )
    assert [row["kind"] for row in recorded] == ["thawed", "frozen"]
    assert json.loads(recorded[1]["detail"]) == {"by": "me", "reason": "", "grace": 0.2}


def test_even_a_handler_that_holds_the_interpreter_is_ended(squad: RunningSquad, tmp_path: Path) -> None:
    task = busy(squad, tmp_path / "begun", how="hold-the-interpreter")
    with Client(squad.home) as client:
        client.freeze(grace=0)
        eventually(lambda: status(squad, task) == ["queued"], "back in the queue")


def test_handlers_may_be_let_finish_and_hurried_later(start: Start, tmp_path: Path) -> None:
    squad = start(CONFIG.replace("intensity: 0", "intensity: 5"))
    task = busy(squad, tmp_path / "begun")
    with Client(squad.home) as client:
        assert client.freeze(grace=None)
        squad.kill("storage")
        eventually(lambda: squad.tree().get("storage", {}).get("state") == "ready", "another storage")
        assert status(squad, task) == ["running"]
        assert not client.freeze(grace="100ms")
        eventually(lambda: status(squad, task) == ["queued"], "hurried")


def test_a_handler_that_ends_in_its_grace_counts(squad: RunningSquad, tmp_path: Path) -> None:
    task = busy(squad, tmp_path / "begun", seconds=0.5)
    with Client(squad.home) as client:
        client.freeze(grace="10m")
        squad.wait(task)
    assert status(squad, task) == ["completed"]


def test_it_answers_while_its_handler_works_and_it_is_on_hold(start: Start, tmp_path: Path) -> None:
    """Cancel, health checks and stop do not wait for whoever resumes it."""
    squad = start(CONFIG)
    task = busy(squad, tmp_path / "begun", how="sleep-unless-cancelled")
    with Client(squad.home) as client:
        client.pause()
        client.freeze(grace=None)
        assert client.health()["ready"]
        client.cancel(task)
        squad.wait(task)
    assert json.loads(squad.task(task)["result"]) == "cancelled"
    waiting = squad.send("one", "echo")
    assert squad.stop() == 0
    assert status(squad, waiting) == ["queued"]


def test_what_the_configuration_no_longer_names_can_be_resumed(start: Start) -> None:
    squad = start(CONFIG)
    with Client(squad.home) as client:
        client.pause("other")
        config = squad.config
        assert config is not None
        text = config.read_text()
        config.write_text(text.replace("  other: ", "  another: "))
        client.reload()
        eventually(lambda: "another" in squad.tree() and "other" not in squad.tree(), "renamed")
        eventually(lambda: client.holds()["paused"], "the new gateway knows")
        assert client.resume("other") == ["other"]
