"""An agent's actor in a real squad: what becomes of messages, and what never makes it deaf."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.actors.conftest import AGENTS
from tests.running import RunningSquad, eventually

CONFIG = """
agents:
  one:
    class: "AGENTS:Worker"
    send_rate: none
    restarts: {intensity: 50}
    retry: {max_attempts: 2, backoff: 10ms, cap: 20ms}
  two: {class: "AGENTS:Worker", send_rate: none, restarts: {intensity: 50}}
  brief: {class: "AGENTS:Worker", timeout: 1s, retry: {max_attempts: 1}, restarts: {intensity: 0}}
  slow: {class: "AGENTS:Worker", send_rate: {per_minute: 60, burst: 3}}
  taking: {class: "AGENTS:Worker", handle_rate: {per_minute: 600, burst: 1}}
"""


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("agent")
    config = folder / "squad.yaml"
    config.write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    with RunningSquad(folder / "home", config) as made:
        yield made


def result(squad: RunningSquad, recipient: str, kind: str, payload: dict[str, Any] | None = None, **fields: Any) -> Any:
    task = squad.send(recipient, kind, payload, **fields)
    squad.wait(task)
    row = squad.task(task)
    assert row["status"] == "completed", row["error_message"]
    return json.loads(row["result"])


def ended(squad: RunningSquad, recipient: str, **payload: Any) -> dict[str, Any]:
    task = squad.send(recipient, "misbehave", payload)
    squad.wait(task)
    return dict(squad.task(task))


def test_a_message_is_handled_and_its_row_says_how(squad: RunningSquad) -> None:
    task = squad.send("one", "echo", {"text": "grüß dich"}, sender="me", priority=2)
    squad.wait(task)
    row = squad.task(task)
    assert json.loads(row["result"])["text"] == "grüß dich"
    assert (row["sender"], row["recipient"], row["type"], row["priority"]) == ("me", "one", "echo", 2)
    assert (row["status"], row["attempts"], row["parent_id"], row["root_id"]) == ("completed", 1, None, task)
    assert row["created_at"] <= row["started_at"] <= row["completed_at"]
    assert row["duration_ms"] >= 0
    assert row["error_message"] is None


def test_what_a_handler_sends_knows_where_it_comes_from(squad: RunningSquad) -> None:
    root = squad.send("one", "fan_out", {"to": "two", "number": 30})
    squad.wait(root, tree=True)
    rows = squad.query("SELECT * FROM tasks WHERE root_id = ? AND task_id <> ?", root, root)
    assert len(rows) == 30
    assert {(row["parent_id"], row["sender"], row["status"]) for row in rows} == {(root, "one", "completed")}
    assert sorted(int(json.loads(row["payload"])["text"]) for row in rows) == list(range(30))


def test_state_is_kept_over_a_kill(squad: RunningSquad) -> None:
    first = result(squad, "two", "count")
    assert [result(squad, "two", "count") for _ in range(2)] == [first + 1, first + 2]
    squad.kill("two")
    assert result(squad, "two", "count", {"by": 10}) == first + 12


def test_an_error_is_tried_again_and_then_a_dead_letter(squad: RunningSquad) -> None:
    row = ended(squad, "one", how="raise")
    assert (row["status"], row["attempts"]) == ("failed", 2)
    assert row["error_message"].startswith("ValueError: as asked")
    tried = squad.query("SELECT * FROM attempts WHERE task_row = ? ORDER BY number", row["id"])
    assert [(a["number"], a["outcome"]) for a in tried] == [(1, "error"), (2, "error")]


def test_an_error_that_passes(squad: RunningSquad) -> None:
    row = ended(squad, "one", how="raise-once")
    assert (row["status"], row["attempts"], json.loads(row["result"])) == ("completed", 2, {"attempt": 2})


def test_a_refused_message_is_dead_at_once(squad: RunningSquad) -> None:
    row = ended(squad, "one", how="refuse")
    assert (row["status"], row["attempts"], row["error_message"]) == ("failed", 1, "not for me")


def test_giving_back_does_not_count(squad: RunningSquad, tmp_path: Path) -> None:
    there = tmp_path / "there"
    task = squad.send("one", "misbehave", {"how": "not-yet", "path": str(there)})
    eventually(lambda: squad.task(task)["fence"] >= 4, "given back three times")
    there.touch()
    squad.wait(task)
    row = squad.task(task)
    assert (row["status"], row["attempts"]) == ("completed", 1)


def test_a_crash_is_charged_to_the_message_in_hand(squad: RunningSquad) -> None:
    row = ended(squad, "one", how="exit-once")
    assert (row["status"], row["attempts"]) == ("completed", 2)
    row = ended(squad, "two", how="exit")
    assert (row["status"], row["attempts"]) == ("failed", 3)
    tried = squad.query("SELECT outcome FROM attempts WHERE task_row = ?", row["id"])
    assert [a["outcome"] for a in tried] == ["crash"] * 3


def test_a_handler_past_its_time_out_is_ended_without_spending_restarts(squad: RunningSquad, tmp_path: Path) -> None:
    for number in (1, 2):  # with an intensity of 0 a second restart would quarantine it
        row = ended(squad, "brief", how="sleep", seconds=60, path=str(tmp_path / str(number)))
        assert row["status"] == "failed"
        assert "longer than its time-out of 1 s" in row["error_message"]
    assert result(squad, "brief", "echo", {"text": "again"})["text"] == "again"


def test_a_busy_agent_answers_and_shows_what_it_does(squad: RunningSquad, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    task = squad.send("two", "misbehave", {"how": "wait", "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    row = eventually(lambda: (r := squad.tree()["two"])["state"] == "busy" and r, "busy")
    assert row["current"]["id"] == task
    assert row["current"]["type"] == "misbehave"
    assert row["in_hand"] >= 1
    (tmp_path / "begun.end").touch()
    squad.wait(task)
    eventually(lambda: squad.tree()["two"]["state"] == "idle", "idle again")


def test_a_delay_is_waited_for(squad: RunningSquad) -> None:
    sent = time.time()
    assert result(squad, "one", "echo", delay=0.4)["at"] - sent >= 0.4


def test_a_key_sends_once(squad: RunningSquad) -> None:
    first = squad.send("one", "count", key="only-once")
    assert squad.send("one", "count", key="only-once") == first
    assert squad.send("two", "count", key="only-once") != first


def test_the_order_is_priority_then_age(squad: RunningSquad) -> None:
    # Else a worker that has proved quick might take the first of them before the last is sent.
    squad.request("POST", "/v1/pause", {"names": ["one"]})
    tasks = {p: squad.send("one", "echo", {"text": str(p)}, priority=p) for p in (9, 5, 1)}
    squad.request("POST", "/v1/resume", {"names": ["one"]})
    for task in tasks.values():
        squad.wait(task)
    started = {p: json.loads(squad.task(task)["result"])["at"] for p, task in tasks.items()}
    assert started[1] < started[5] < started[9]


def test_a_send_rate_makes_the_handler_wait_and_shows_its_tokens(squad: RunningSquad) -> None:
    root = squad.send("slow", "fan_out", {"to": "two", "number": 5})
    eventually(lambda: squad.tree()["slow"]["tokens"] < 3, "tokens are missing")
    squad.wait(root, tree=True)
    assert squad.task(root)["duration_ms"] >= 1500  # a burst of 3, then one a second
    assert squad.tree()["one"]["tokens"] is None
    query = "SELECT detail FROM events WHERE kind = 'throttled' AND subject = 'slow'"
    throttled = eventually(lambda: squad.query(query), "the event is recorded")
    assert [json.loads(row["detail"]) for row in throttled] == [{"per_minute": 60.0}]


def test_a_handle_rate_spaces_what_is_taken_on(squad: RunningSquad) -> None:
    begun = time.time()
    tasks = [squad.send("taking", "echo") for _ in range(5)]
    for task in tasks:
        squad.wait(task)
    at = sorted(json.loads(squad.task(task)["result"])["at"] for task in tasks)
    assert at[-1] - begun >= 0.4  # one each 100 ms after the first; that one may itself be late


def test_a_frozen_agent_is_no_obstacle_to_the_tree(squad: RunningSquad) -> None:
    pid = squad.kill("two", signal.SIGSTOP)
    try:
        eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it has stopped")
        assert "two" in squad.tree()
        assert psutil.Process(pid).status() == psutil.STATUS_STOPPED, "the answer came without it"
    finally:
        squad.signal(pid, signal.SIGCONT)
