"""What messages can do, in real squads: expire, be cancelled, be answered, be refused, die and come back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from squad.client import Client
from squad.errors import QueueFullError, RefusedError
from tests.running import RunningSquad, eventually

FLOWS = Path(__file__).parent / "squads" / "flows.py"

CONFIG = """
types: {work: {retry: {max_attempts: 2}}, nap: {fields: {}}}
agents:
  worker: {class: "FLOWS:Worker", retry: {max_attempts: 9, backoff: 1ms}, cancel_grace: 300ms, send_rate: none}
  patient: {class: "FLOWS:Worker", cancel_grace: 1m, send_rate: none}
  narrow: {class: "FLOWS:Worker", queue: {limit: 3, warn_at: 0.6}}
  lossy: {class: "FLOWS:Worker", queue: {limit: 2, when_full: drop_oldest}}
  asker: {class: "FLOWS:Asker", send_rate: none}
  napper: {command: [sleep, "600"], handles: [nap], cancel_grace: 300ms}
  heavy: {command: [/bin/sh, -c, "trap '' TERM; sleep 600; sleep 600"], handles: [nap], cancel_grace: 300ms}
convoys:
  pool: {class: "FLOWS:Worker", min: 2, max: 2, cancel_grace: 300ms}
"""


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("flows")
    config = folder / "squad.yaml"
    config.write_text(CONFIG.replace("FLOWS", str(FLOWS)))
    with RunningSquad(folder / "home", config) as made:
        yield made


@pytest.fixture
def client(squad: RunningSquad) -> Iterator[Client]:
    with Client(squad.home) as made:
        yield made


def begin(squad: RunningSquad, agent: str, how: str, begun: Path, **more: Any) -> tuple[str, int]:
    """Have a handler begin; the message, and its process."""
    task = squad.send(agent, "work", {"how": how, "begun": str(begun), **more})
    pid = eventually(lambda: begun.exists() and begun.read_text(), "the handler has begun")
    return task, int(pid)


def ended(squad: RunningSquad, task: str) -> tuple[str, str]:
    squad.wait(task)
    row = squad.task(task)
    assert row["completed_at"]
    return row["status"], row["error_message"]


# -- time ------------------------------------------------------------------------------------------------------------


def test_a_message_for_a_time_is_handled_then(squad: RunningSquad, client: Client) -> None:
    at = time.time() + 0.5
    task = client.send("worker", "work", at=at, ttl="1m")
    assert ended(squad, task) == ("completed", None)
    row = squad.task(task)
    assert row["expires_at"] == at + 60
    assert row["started_at"] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def test_one_that_is_not_handled_in_time_expires(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    busy, _ = begin(squad, "patient", "obey", tmp_path / "begun")
    task = client.send("patient", "work", ttl=0.3)
    assert client.wait(task, timeout=30)
    assert squad.task(busy)["status"] == "running"
    assert ended(squad, task) == ("expired", "its time to live was over before it was handled")
    client.cancel(busy)
    assert ended(squad, busy)[0] == "completed"


# -- cancelling ------------------------------------------------------------------------------------------------------


def test_a_handler_that_ends_by_itself_keeps_its_process(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    for how, status in (("obey", "completed"), ("obey-and-raise", "cancelled")):
        task, pid = begin(squad, "patient", how, tmp_path / how)
        assert client.cancel(task) == {"cancelled": 0, "running": 1}
        assert ended(squad, task)[0] == status
        assert squad.pids("patient") == [pid]
    row = squad.task(task)
    assert (row["error_message"], row["attempts"]) == ("cancelled while it was handled", 0)
    assert squad.query("SELECT * FROM attempts WHERE task_row = ?", row["id"]) == []


@pytest.mark.parametrize("agent", ["worker", "pool"])
def test_a_handler_that_goes_on_is_ended_with_its_process(
    squad: RunningSquad, client: Client, tmp_path: Path, agent: str
) -> None:
    task, pid = begin(squad, agent, "stubborn", tmp_path / "begun")
    behind = squad.send(agent, "work")
    others = set(squad.pids(agent)) - {pid}
    started = time.monotonic()
    assert client.cancel(task) == {"cancelled": 0, "running": 1}
    assert ended(squad, task) == ("cancelled", "cancelled while it was handled")
    assert time.monotonic() - started > 0.2
    assert ended(squad, behind)[0] == "completed"  # whoever is there now handles it
    eventually(lambda: pid not in squad.processes(), "the process has gone")
    row = eventually(
        lambda: next((r for r in squad.tree().values() if r["restarts"] and r["name"].startswith(agent)), None),
        "it is back",
    )
    assert "its message was cancelled" in row["last_error"]
    assert others <= set(squad.pids(agent))


def test_a_handler_that_holds_the_interpreter_is_ended_for_its_agent(
    squad: RunningSquad, client: Client, tmp_path: Path
) -> None:
    task, pid = begin(squad, "worker", "deaf", tmp_path / "begun")
    assert client.cancel(task) == {"cancelled": 0, "running": 1}
    assert ended(squad, task)[0] == "cancelled"
    assert pid not in squad.processes()


@pytest.mark.parametrize("agent", ["napper", "heavy"])
def test_a_command_is_ended_and_its_agent_stays(squad: RunningSquad, client: Client, agent: str) -> None:
    pids = squad.pids(agent)
    task = squad.send(agent, "nap")
    eventually(lambda: any("sleep 600" in line for line in squad.processes().values()), "the command runs")
    assert client.cancel(task) == {"cancelled": 0, "running": 1}
    assert ended(squad, task)[0] == "cancelled"
    eventually(lambda: not any("sleep 600" in line for line in squad.processes().values()), "nothing of it is left")
    assert squad.pids(agent) == pids


def test_a_cancel_outlives_a_kill_of_the_storage_and_of_the_agent(
    squad: RunningSquad, client: Client, tmp_path: Path
) -> None:
    task, _ = begin(squad, "patient", "stubborn", tmp_path / "begun")
    client.cancel(task)
    squad.kill("storage")
    squad.kill("patient")
    assert ended(squad, task)[0] == "cancelled"


def test_nothing_of_a_cancelled_tree_goes_on(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    root = squad.send("asker", "ask", {"how": "return", "delay": 600})
    squad.wait(root)
    running, _ = begin(squad, "patient", "obey", begun, to="pool")
    assert client.cancel(root, tree=True) == {"cancelled": 1, "running": 0}
    assert client.cancel(running, tree=True) == {"cancelled": 0, "running": 1}
    assert client.wait(running, tree=True, timeout=30)
    assert ended(squad, running)[0] == "cancelled"
    assert squad.query("SELECT * FROM tasks WHERE parent_id = ?", running) == []
    squad.wait(root, tree=True)
    rows = squad.query("SELECT type, status FROM tasks WHERE root_id = ? ORDER BY id", root)
    assert [tuple(row) for row in rows] == [
        ("ask", "completed"),
        ("work", "cancelled"),
        ("squad.reply", "completed"),
    ]


def test_cancelling_what_has_ended_does_nothing(squad: RunningSquad, client: Client) -> None:
    task = squad.send("worker", "work")
    squad.wait(task)
    assert client.cancel(task, tree=True) == {"cancelled": 0, "running": 0}
    assert squad.task(task)["status"] == "completed"


# -- replies ---------------------------------------------------------------------------------------------------------


def replies(squad: RunningSquad, request: str) -> list[Any]:
    """What the asker has been told of the message that ``request`` made it send."""
    squad.wait(request, tree=True)
    of = json.loads(squad.task(request)["result"])
    told = squad.send("asker", "told")
    squad.wait(told)
    found: list[Any] = json.loads(squad.task(told)["result"]).get(of, [])
    return found


def test_a_result_and_a_failure_come_back(squad: RunningSquad) -> None:
    request = squad.send("asker", "ask", {"how": "return"})
    assert replies(squad, request) == [["work", "completed", {"did": "return"}, []]]
    request = squad.send("asker", "ask", {"how": "fail"})
    assert replies(squad, request) == [["work", "failed", None, ["ValueError: as asked"]]]
    (row,) = squad.query("SELECT id, attempts FROM tasks WHERE root_id = ? AND type = 'work'", request)
    assert row["attempts"] == 2  # the type's own policy, not the agent's


def test_whatever_does_not_come_back_is_told_too(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    late = squad.send("asker", "ask", {"how": "return", "delay": 1.0, "timeout": 0.2})
    expires = squad.send("asker", "ask", {"how": "return", "ttl": 0.2})
    busy, _ = begin(squad, "worker", "obey", tmp_path / "begun")
    cancelled = squad.send("asker", "ask", {"how": "return", "delay": 600})
    squad.wait(cancelled)
    assert client.cancel(json.loads(squad.task(cancelled)["result"]))["cancelled"] == 1
    (told,) = replies(squad, cancelled)
    assert told[:2] == ["work", "cancelled"]
    squad.wait(expires)
    of = json.loads(squad.task(expires)["result"])
    status = eventually(lambda: squad.task(of)["completed_at"] and squad.task(of)["status"], "it has ended")
    client.cancel(busy)
    (told,) = replies(squad, expires)
    assert told[1] == status  # handled just before the worker was kept busy, or expired while it was
    (told,) = replies(squad, late)
    assert told[1:] in (["timed_out", None, ["no reply came within 0.2 s"]], ["completed", {"did": "return"}, []])


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_a_full_mailbox(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    count = "SELECT COUNT(*) AS n FROM tasks WHERE recipient = 'narrow'"
    before = squad.query(count)[0]["n"]
    busy, _ = begin(squad, "narrow", "obey", tmp_path / "begun")
    waiting = [client.send("narrow", "work") for _ in range(3)]
    with pytest.raises(QueueFullError, match="the mailbox of 'narrow' is full: 3 messages wait there") as caught:
        client.send("narrow", "work")
    assert "raise queue.limit of narrow in the configuration" in caught.value.hint
    refused = squad.cli("send", "narrow", "work", status=2)
    assert "the mailbox of 'narrow' is full" in refused.stderr
    assert "squad queue" in refused.stderr
    with pytest.raises(RefusedError, match="more messages do not fit"):
        client.send_many(
            [{"recipient": name, "type": "work", "payload": {}} for name in ("worker", "narrow", "narrow")]
        )
    assert squad.query(count)[0]["n"] == before + 4
    squad.kill("storage")  # its successor counts anew
    eventually(squad.health, "somebody answers")
    with pytest.raises(QueueFullError):
        client.send("narrow", "work")
    client.cancel(busy)
    for task in waiting:
        assert ended(squad, task)[0] == "completed"
    assert ended(squad, client.send("narrow", "work"))[0] == "completed"
    query = "SELECT json_extract(detail, '$.mark') FROM events WHERE kind = 'queue_warning' AND subject = 'narrow'"
    eventually(lambda: {row[0] for row in squad.query(query)} == {"warning", "full"}, "both marks are recorded")


def test_what_a_handler_sends_is_taken_above_the_bound(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    busy, _ = begin(squad, "narrow", "obey", tmp_path / "begun")
    waiting = [client.send("narrow", "work") for _ in range(3)]
    root = squad.send("worker", "work", {"to": "narrow"})
    squad.wait(root)
    assert squad.query("SELECT status FROM tasks WHERE parent_id = ?", root)[0]["status"] == "queued"
    client.cancel(busy)
    for task in (*waiting, root):
        squad.wait(task, tree=True)


def test_a_mailbox_that_drops_the_oldest(squad: RunningSquad, client: Client, tmp_path: Path) -> None:
    busy, _ = begin(squad, "lossy", "obey", tmp_path / "begun")
    tasks = [client.send("lossy", "work") for _ in range(4)]
    for task in tasks[:2]:
        assert ended(squad, task) == ("expired", "dropped from a full mailbox: 2 newer messages wait for lossy")
    client.cancel(busy)
    for task in tasks[2:]:
        assert ended(squad, task)[0] == "completed"


# -- dead letters ----------------------------------------------------------------------------------------------------


def test_dead_letters_are_edited_replayed_and_dropped(squad: RunningSquad, client: Client) -> None:
    tasks = [squad.send("patient", "work", {"how": "fail"}, sender="desk") for _ in range(3)]
    for task in tasks:
        assert ended(squad, task)[0] == "failed"
    chosen: dict[str, Any] = {"agent": "patient", "type": "work", "error": "AS ASKED", "since": 0}
    assert client.retry_dead(**chosen, dry_run=True) == tasks
    with pytest.raises(RefusedError) as caught:
        client.edit_dead(tasks[0], {"how": 5, "speed": 1})
    assert [problem.where for problem in caught.value.problems] == ["payload.how", "payload.speed"]
    client.edit_dead(tasks[0], {"how": "return"})
    assert client.retry_dead(**chosen) == tasks
    assert [ended(squad, task)[0] for task in tasks] == ["completed", "failed", "failed"]
    rows = squad.query("SELECT number, final FROM attempts WHERE task_row = ?", squad.task(tasks[1])["id"])
    assert [tuple(row) for row in rows] == [(1, 0), (2, 1), (3, 0), (4, 1)]
    with pytest.raises(RefusedError, match="not among the dead letters"):
        client.drop_dead(tasks)
    assert client.drop_dead(tasks[1:]) == tasks[1:]
    assert squad.query("SELECT COUNT(*) AS n FROM tasks WHERE sender = 'desk'")[0]["n"] == 1
    kinds = squad.query("SELECT kind, COUNT(*) AS n FROM events WHERE subject IN (?, ?, ?) GROUP BY kind", *tasks)
    assert {row["kind"]: row["n"] for row in kinds} == {"edited": 1, "replayed": 3, "dropped": 2}
