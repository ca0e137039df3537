"""Why a message waits, asked of real squads in which something holds it."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad import Client
from squad.errors import SquadError
from tests.actors.conftest import AGENTS
from tests.running import RunningSquad, eventually

CONFIG = """
agents:
  one: {class: "AGENTS:Worker", cancel_grace: 10m, retry: {max_attempts: 1}}
  late: {class: "AGENTS:Worker", ready_when: {file: ready, every: 20ms, within: 10m}}
  after: {class: "AGENTS:Worker", after: [late]}
  slow: {class: "AGENTS:Worker", restarts: {intensity: 5, backoff: 10m, cap: 10m, jitter: 0}}
  doomed: {class: "AGENTS:Worker", restarts: {intensity: 0}}
  mayfly: {class: "AGENTS:Worker", restart: temporary}
convoys:
  pool: {class: "AGENTS:Worker", min: 2, max: 2, retry: {max_attempts: 1}}
supervision:
  shutdown: 10m
  restarts: {intensity: 50, backoff: 1ms}
  health: {interval: 200ms, timeout: 200ms, hung_after: 10m}
"""


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("why")
    (folder / "ready").touch()
    (folder / "squad.yaml").write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    with RunningSquad(folder / "home", folder / "squad.yaml") as running:
        yield running
        running.cli("stop", "--force")


@pytest.fixture(scope="module")
def client(squad: RunningSquad) -> Iterator[Client]:
    with Client(squad.home) as made:
        yield made


def begin(squad: RunningSquad, agent: str, begun: Path, how: str = "sleep") -> str:
    """A message whose handler does not end."""
    task = squad.send(agent, "misbehave", {"how": how, "seconds": 600, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    return task


def told_of(client: Client, task: str, *kinds: str) -> dict[str, Any]:
    """What is said of it, once its reasons are those, in this order."""

    def look() -> dict[str, Any]:
        found = client.why(task)
        return found if tuple(reason["kind"] for reason in found["reasons"]) == kinds else {}

    return eventually(look, f"held by {kinds}")


def held_by(client: Client, task: str, *kinds: str) -> dict[str, dict[str, Any]]:
    """Its reasons by kind, once they are those, in this order."""
    return {reason["kind"]: reason for reason in told_of(client, task, *kinds)["reasons"]}


def test_workers_that_are_all_busy(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    tasks = [begin(squad, "pool", tmp_path / name) for name in ("first", "second")]
    waiting = squad.send("pool", "echo")
    reasons = held_by(client, waiting, "busy", "turn")
    for name, task in zip(("pool-1", "pool-2"), sorted(tasks), strict=True):
        assert f"{name} handles misbehave" in reasons["busy"]["text"]
        assert task in reasons["busy"]["text"]
    assert reasons["busy"]["how"] == "at_latest"
    running = told_of(client, tasks[0], "running")
    assert running["lease"]["worker"].startswith("pool-")
    assert running["lease"]["timeout_at"] == running["reasons"][0]["clears_at"]
    for pid in squad.pids("pool"):
        squad.signal(pid, signal.SIGKILL)
    squad.wait(waiting)
    assert client.why(waiting)["result"]["attempt"] == 1


def test_a_cancelled_message_whose_handler_goes_on(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    task = begin(squad, "one", tmp_path / "begun")
    client.cancel(task)
    held_by(client, task, "cancelled", "running")
    squad.kill("one")
    squad.wait(task)
    assert client.why(task)["status"] == "cancelled"


def test_an_agent_that_drains_or_is_silent(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    task = begin(squad, "one", tmp_path / "begun")
    waiting = squad.send("one", "echo")
    pid = squad.kill("one", signal.SIGSTOP)
    silent = held_by(client, waiting, "hung", "turn")["hung"]
    assert silent["how"] == "at_latest"
    held_by(client, task, *(kind for kind in ("running", "hung")))
    squad.signal(pid, signal.SIGCONT)
    held_by(client, waiting, "busy", "turn")
    client.restart("one")
    draining = held_by(client, waiting, "draining", "turn")["draining"]
    assert "and is then started again" in draining["text"]
    assert draining["clears_at"] is not None
    squad.signal(pid, signal.SIGKILL)
    squad.wait(waiting)


def test_agents_that_crash(squad: RunningSquad, client: Client) -> None:
    for name, kind in (("doomed", "quarantined"), ("mayfly", "stopped")):
        squad.kill(name)
        eventually(lambda name=name, kind=kind: squad.tree()[name]["state"] == kind, kind)  # type: ignore[misc]
        task = squad.send(name, "echo")
        reason = held_by(client, task, kind, "turn")[kind]
        assert (reason["how"], reason["command"]) == ("by_hand", f"squad restart {name}")
        assert "its process died" in reason["text"]
        client.restart(name)
        squad.wait(task)
    pid = squad.kill("slow")
    eventually(lambda: squad.pids("slow") not in ([], [pid]), "the first restart is immediate")
    squad.kill("slow")
    task = squad.send("slow", "echo")
    reason = held_by(client, task, "restarting", "turn")["restarting"]
    assert (reason["how"], reason["clears_at"][:2]) == ("known", "20")
    client.restart("slow")
    squad.wait(task)


def test_agents_that_are_not_ready(squad: RunningSquad, client: Client) -> None:
    ready = squad.home.parent / "ready"
    ready.unlink()
    client.restart("late")
    eventually(lambda: squad.tree()["late"]["state"] == "starting", "it takes nothing on any more")
    tasks = [squad.send("late", "echo"), squad.send("after", "echo")]
    held_by(client, tasks[0], "starting", "turn")
    squad.wait(tasks[1])  # it is there already, and stays
    client.restart("after")
    eventually(lambda: squad.tree()["after"]["state"] == "waiting", "it takes nothing on any more")
    task = squad.send("after", "echo")
    assert "until there is: late" in held_by(client, task, "starting", "turn")["starting"]["text"]
    ready.touch()
    squad.wait(tasks[0])
    squad.wait(task)


@pytest.mark.parametrize(("name", "kind"), [("storage", "storage"), ("supervisor", "squad")])
def test_a_part_of_the_core_that_is_silent(
    squad: RunningSquad, client: Client, tmp_path: Path, name: str, kind: str
) -> None:
    task = begin(squad, "one", tmp_path / "begun")
    waiting = squad.send("one", "echo")
    pid = squad.kill(name, signal.SIGSTOP)
    try:
        eventually(lambda: kind in [reason["kind"] for reason in client.why(waiting)["reasons"]], f"held by {kind}")
        assert kind in [reason["kind"] for reason in client.why(task)["reasons"]]
    finally:
        squad.signal(pid, signal.SIGCONT)
    held_by(client, waiting, "busy", "turn")
    squad.kill("one")
    client.cancel(task)
    squad.wait(waiting)


def test_a_database_that_another_program_locks(squad: RunningSquad, client: Client) -> None:
    client.pause("pool")
    task = squad.send("pool", "echo")
    with closing(sqlite3.connect(squad.home / "squad.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        held_by(client, task, "paused", "storage", "turn")
        other.execute("ROLLBACK")
    held_by(client, task, "paused", "turn")
    client.resume("pool")
    squad.wait(task)


def test_one_that_is_not_there(client: Client) -> None:
    with pytest.raises(SquadError, match="there is no message with the id"):
        client.why("0190f3a4-0000-7000-8000-000000000001")


def test_a_name_that_is_gone_and_a_squad_that_stops(start: Callable[[str], RunningSquad], tmp_path: Path) -> None:
    two = 'agents:\n  one: {class: "AGENTS:Worker"}\n  two: {class: "AGENTS:Worker"}\nsupervision: {shutdown: 10m}\n'
    squad = start(two)
    with Client(squad.home) as client:
        client.pause("two")
        task = squad.send("two", "echo")
        assert squad.config is not None
        squad.config.write_text(squad.config.read_text().replace("  two:", "  three:"))
        client.reload()
        eventually(lambda: "missing" in [r["kind"] for r in client.why(task)["reasons"]], "missing")
        held_by(client, task, "paused", "missing", "turn")
        begin(squad, "one", tmp_path / "begun")
        waiting = squad.send("one", "echo")
        squad.launcher.send_signal(signal.SIGTERM)
        held_by(client, waiting, "stopping", "draining", "turn")
        squad.cli("stop", "--force")
        squad.wait_stopped()
    shown = squad.cli("inspect", "--why", waiting, status=3).stdout
    assert "no squad is running" in shown
