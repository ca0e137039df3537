"""Deaths of every kind of process in a real squad, and what becomes of the work."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.actors.conftest import AGENTS
from tests.running import RunningSquad, eventually

Start = Callable[[str], RunningSquad]
ONE = 'agents:\n  one: {class: "AGENTS:Worker", send_rate: none}\n'


@pytest.fixture(scope="module")
def sturdy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    """One squad for all tests after which it is as before."""
    folder = tmp_path_factory.mktemp("sturdy")
    config = folder / "squad.yaml"
    text = ONE + "supervision: {restarts: {intensity: 50, backoff: 1ms}}\n"
    config.write_text(text.replace("AGENTS", str(AGENTS)))
    with RunningSquad(folder / "home", config) as squad:
        yield squad


def test_an_agent_that_is_killed_handles_again_soon(sturdy: RunningSquad) -> None:
    squad = sturdy
    restarts = squad.tree()["one"]["restarts"]
    for _ in range(3):
        before = squad.kill("one")
        task = squad.send("one", "echo")
        squad.wait(task)
        assert json.loads(squad.task(task)["result"])["pid"] != before
    row = squad.tree()["one"]
    assert row["restarts"] == restarts + 3
    assert row["last_error"]


def test_a_crash_loop_is_quarantined_and_restart_brings_it_back(start: Start) -> None:
    squad = start(
        ONE + "supervision: {restarts: {intensity: 2, period: 1h, backoff: 10ms}}\n",
    )
    for _ in range(3):
        pid = squad.kill("one")
        eventually(lambda pid=pid: squad.pids("one") != [pid], "noticed")  # type: ignore[misc]
        if squad.tree()["one"]["state"] != "quarantined":
            eventually(lambda: squad.tree()["one"]["state"] == "idle", "up again")
    eventually(lambda: squad.tree()["one"]["state"] == "quarantined", "quarantined")
    events = "SELECT count(*) FROM events WHERE kind = 'quarantined'"
    assert eventually(lambda: squad.query(events)[0][0], "the event is recorded") == 1
    task = squad.send("one", "echo")  # it still accepts
    shown = squad.cli("inspect", status=None).stdout
    assert "quarantined" in shown
    squad.cli("restart", "one")
    squad.wait(task)


def test_somebody_is_told_of_a_quarantine_once(start: Start, tmp_path: Path) -> None:
    told = tmp_path / "told"
    squad = start(
        f"""
        supervision: {{notify: pager}}
        agents:
          one: {{class: "AGENTS:Worker", restarts: {{intensity: 0}}}}
          pager: {{command: [tee, -a, "{told}"], handles: [squad.quarantined]}}
        """
    )

    squad.kill("one")

    (task,) = eventually(
        lambda: squad.query("SELECT * FROM tasks WHERE type = 'squad.quarantined'"), "somebody is told"
    )
    squad.wait(task["task_id"])
    assert json.loads(told.read_text())["payload"] == {"agent": "one", "reason": "its process died"}
    assert (task["sender"], task["recipient"], task["priority"]) == ("supervisor", "pager", 1)


def test_who_is_told_must_listen(start: Start) -> None:
    with pytest.raises(AssertionError, match=r"worker does not handle 'squad\.quarantined'"):
        start('supervision: {notify: worker}\nagents: {worker: {class: "AGENTS:Worker"}}')


def test_an_agent_that_cannot_start_is_quarantined_with_its_reason(start: Start, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from squad import Agent, handles, message\n"
        "@message('m')\nclass M:\n    pass\n"
        "class Broken(Agent):\n"
        "    def start(self):\n        raise RuntimeError('no licence')\n"
        "    @handles(M)\n    def m(self, msg, ctx): ...\n"
    )
    config = tmp_path / "squad.yaml"
    config.write_text(
        "agents: {broken: {class: './broken.py:Broken'}}\nsupervision: {restarts: {intensity: 1, backoff: 1ms}}\n"
    )
    squad = RunningSquad(tmp_path / "home", config)
    try:
        with pytest.raises(AssertionError, match="not within"):
            squad.start(timeout=3)  # it never gets ready
        row = eventually(lambda: (r := squad.tree().get("broken")) and r["state"] == "quarantined" and r, "quarantined")
        assert "RuntimeError: no licence" in row["last_error"]
        assert squad.stop() == 0
    finally:
        squad.end_everything()


@pytest.mark.parametrize("name", ["storage", "gateway", "monitor", "supervisor"])
def test_any_part_may_die(sturdy: RunningSquad, name: str) -> None:
    squad = sturdy
    tasks = [squad.send("one", "count") for _ in range(20)]
    before = squad.kill(name)
    eventually(lambda: squad.pids(name) not in ([], [before]), f"another {name}")
    eventually(lambda: (squad.health() or {}).get("ready"), "ready again")
    tasks.append(squad.send("one", "count"))
    for task in tasks:
        squad.wait(task)
    counted = sorted(json.loads(squad.task(task)["result"]) for task in tasks)
    assert counted == list(range(counted[0], counted[0] + 21))  # each took effect exactly once


def test_a_send_while_storage_restarts_is_stored_once(sturdy: RunningSquad) -> None:
    squad = sturdy
    counted = []
    for n in range(5):
        squad.kill("storage")
        task = squad.send("one", "count", key=f"k{n}")
        squad.wait(task)
        counted.append(json.loads(squad.task(task)["result"]))
        eventually(lambda: squad.tree().get("storage", {}).get("state") == "ready", "storage")
    assert counted == list(range(counted[0], counted[0] + 5))


def test_a_frozen_agent_is_replaced_and_its_late_word_refused(start: Start, tmp_path: Path) -> None:
    squad = start(ONE + "supervision: {health: {interval: 200ms, timeout: 1s, hung_after: 4s}}\n")
    begun = tmp_path / "begun"
    task = squad.send("one", "misbehave", {"how": "wait", "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    frozen = squad.kill("one", signal.SIGSTOP)
    eventually(lambda: squad.pids("one") not in ([], [frozen]), "another process")
    (tmp_path / "begun.end").touch()
    squad.wait(task)
    row = squad.task(task)
    assert (row["status"], row["attempts"]) == ("completed", 2)
    assert frozen not in squad.processes()


def test_stop_lets_a_handler_finish(start: Start, tmp_path: Path) -> None:
    squad = start(ONE)
    begun = tmp_path / "begun"
    task = squad.send("one", "misbehave", {"how": "wait", "path": str(begun)})
    waiting = squad.send("one", "echo")
    eventually(begun.exists, "the handler has begun")
    squad.launcher.send_signal(signal.SIGTERM)
    eventually(lambda: squad.tree().get("one", {}).get("state") == "draining", "draining")
    (tmp_path / "begun.end").touch()
    assert squad.wait_stopped() == 0
    assert squad.task(task)["status"] == "completed"
    assert (squad.task(waiting)["status"], squad.task(waiting)["attempts"]) == ("queued", 0)


def test_a_storage_that_dies_while_the_squad_stops_does_not_hold_it_up(start: Start, tmp_path: Path) -> None:
    squad = start(ONE + "supervision: {shutdown: 10m}\n")
    begun = tmp_path / "begun"
    task = squad.send("one", "misbehave", {"how": "wait", "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    squad.launcher.send_signal(signal.SIGTERM)
    eventually(lambda: squad.tree().get("one", {}).get("state") == "draining", "draining")
    squad.kill("storage")
    (tmp_path / "begun.end").touch()
    assert squad.wait_stopped() == 0
    assert (squad.task(task)["status"], squad.task(task)["attempts"]) == ("completed", 1)


def test_stop_tells_a_handler_that_asks(start: Start, tmp_path: Path) -> None:
    squad = start(ONE + "supervision: {shutdown: 10m}\n")
    begun = tmp_path / "begun"
    task = squad.send("one", "misbehave", {"how": "sleep-unless-cancelled", "seconds": 600, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    assert squad.stop() == 0
    assert json.loads(squad.task(task)["result"]) == "cancelled"


def test_what_does_not_finish_in_time_is_named_and_queued_again(start: Start, tmp_path: Path) -> None:
    squad = start(ONE + "supervision: {shutdown: 500ms}\n")
    begun = tmp_path / "begun"
    task = squad.send("one", "misbehave", {"how": "sleep", "seconds": 60, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    assert squad.stop() == 0
    said = json.loads((squad.home / "last_stop.json").read_text())
    assert said["unfinished"] == [{"agent": "one", "id": task, "type": "misbehave"}]
    row = squad.task(task)
    assert (row["status"], row["attempts"], row["lease_owner"]) == ("queued", 0, None)
    assert task in squad.output()


def test_a_second_signal_forces(start: Start, tmp_path: Path) -> None:
    squad = start(ONE + "supervision: {shutdown: 10m}\n")
    begun = tmp_path / "begun"
    squad.send("one", "misbehave", {"how": "sleep", "seconds": 600, "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    squad.launcher.send_signal(signal.SIGINT)
    eventually(lambda: squad.tree().get("one", {}).get("state") == "draining", "draining")
    squad.launcher.send_signal(signal.SIGINT)
    squad.wait_stopped()


def test_the_launchers_death_leaves_nothing(start: Start) -> None:
    squad = start(ONE)
    squad.launcher.kill()
    squad.launcher.wait()
    squad.assert_nothing_left()
    squad.start()  # and the home can be used again
    squad.wait(squad.send("one", "echo"))


def test_everything_may_be_killed_at_once_and_no_acknowledged_message_is_lost(start: Start) -> None:
    squad = start(ONE)
    tasks = squad.send_batch([{"recipient": "one", "type": "count", "payload": {}} for _ in range(300)])
    for pid in squad.processes():
        squad.signal(pid, signal.SIGKILL)
    squad.launcher.wait()
    squad.assert_nothing_left()
    squad.start()
    for task in tasks:
        squad.wait(task)
    counted = sorted(json.loads(squad.task(task)["result"]) for task in tasks)
    assert counted == list(range(1, 301))


def test_what_an_agent_started_is_gone_with_the_squad(start: Start, tmp_path: Path) -> None:
    squad = start(ONE)
    begun = tmp_path / "begun"
    squad.wait(squad.send("one", "misbehave", {"how": "leave-a-child", "path": str(begun)}))
    pid = int(begun.read_text())
    assert pid in squad.processes()
    assert squad.stop() == 0
    squad.assert_nothing_left()


def test_native_code_that_holds_the_interpreter_does_not_silence_the_squad(start: Start, tmp_path: Path) -> None:
    squad = start(ONE + "supervision: {shutdown: 1s, health: {interval: 200ms, timeout: 1s}}\n")
    begun = tmp_path / "begun"
    task = squad.send("one", "misbehave", {"how": "hold-the-interpreter", "path": str(begun)})
    eventually(begun.exists, "the handler has begun")
    eventually(lambda: squad.tree()["one"]["state"] == "hung", "the supervisor notices")
    row = squad.tree()["one"]
    assert (row["state"], row["current"]["id"]) == ("hung", task)
    assert squad.stop() == 0
    assert squad.task(task)["status"] == "queued"


def test_a_poison_message_does_not_take_others_with_it(sturdy: RunningSquad) -> None:
    squad = sturdy
    ids = squad.send_batch(
        [{"recipient": "one", "type": "echo", "payload": {"text": str(n)}} for n in range(40)]
        + [{"recipient": "one", "type": "misbehave", "payload": {"how": "exit"}}]
        + [{"recipient": "one", "type": "echo", "payload": {"text": str(n)}} for n in range(40)]
    )
    for task in ids:
        squad.wait(task)
    rows = {task: squad.task(task) for task in ids}
    failed = [row for row in rows.values() if row["status"] == "failed"]
    assert [row["type"] for row in failed] == ["misbehave"]
    assert {row["attempts"] for row in rows.values() if row["type"] == "echo"} == {1}
