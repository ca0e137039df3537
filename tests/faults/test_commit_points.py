"""The storage dies just before and just after each kind of commit, and the squad goes on as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from squad.client import Client
from squad.errors import SquadError
from squad.ids import new_id
from tests.faults.dying_storage import KINDS
from tests.running import ROOT, RunningSquad, eventually

AGENTS = ROOT / "tests" / "actors" / "squads" / "agents.py"
CONFIG = """
agents:
  one: {class: "AGENTS:Worker", send_rate: none, retry: {backoff: 1ms}}
  two: {class: "AGENTS:Worker", send_rate: none}
supervision: {restarts: {intensity: 1000, backoff: 1ms, cap: 5ms}}
"""


class DyingSquad(RunningSquad):
    """Run by ``dying_storage``. ``order`` has its storage die once."""

    def start(self, timeout: float = 60.0) -> None:
        self.orders = self.home.parent / "orders"
        program = [sys.executable, "-m", "tests.faults.dying_storage", self.home, self.config or "", self.orders]
        with self._output.open("ab") as out:
            self._launcher = subprocess.Popen(
                program,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self._env,
                cwd=ROOT,
                start_new_session=True,
            )
        self.wait_ready(timeout)

    def order(self, text: str) -> None:
        new = self.orders.with_suffix(".new")
        new.write_text(text)
        new.replace(self.orders)

    def sent(self, kind: str, payload: dict[str, Any] | None = None, **fields: Any) -> str:
        """Send as a user does who insists, with one id."""
        message = {"id": new_id(), "recipient": "one", "type": kind, "payload": payload or {}, **fields}

        def accepted() -> str:
            try:
                return client.submit(message).id
            except SquadError:  # no answer came: perhaps it is stored, perhaps not
                return ""

        with Client(self.home, timeout=5) as client:
            return eventually(accepted, "the message is accepted", 60)

    def died(self) -> bool:
        return not self.orders.exists()

    def results(self, kind: str) -> list[Any]:
        rows = self.query("SELECT result FROM tasks WHERE type = ? AND status = 'completed' ORDER BY id", kind)
        return [json.loads(row["result"]) for row in rows]


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DyingSquad]:
    folder = tmp_path_factory.mktemp("commits")
    config = folder / "squad.yaml"
    config.write_text(CONFIG.replace("AGENTS", str(AGENTS)))
    with DyingSquad(folder / "home", config) as made:
        yield made


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_storage_dies_at_a_commit(squad: DyingSquad, kind: str, when: str) -> None:
    before = squad.pids("storage")
    tasks = act(squad, kind, f"{when} {kind}")
    eventually(squad.died, "the storage has died at that commit")
    for task in tasks:
        squad.wait(task, tree=True)
    eventually(lambda: squad.pids("storage") not in ([], before), "another storage")
    check(squad, kind, tasks)
    counted = squad.results("count")
    assert counted == list(range(1, len(counted) + 1))  # each took effect once, and in order
    assert squad.query("PRAGMA integrity_check")[0][0] == "ok"


MESSAGES: dict[str, list[tuple[str, dict[str, Any], dict[str, Any]]]] = {  # type, payload, fields
    "settle": [("fan_out", {"to": "two", "number": 3}, {})],
    "retry": [("misbehave", {"how": "raise-once"}, {})],
    "release": [("misbehave", {"how": "exit-once"}, {})],
    "record": [],
}
COUNT_THREE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [("count", {}, {})] * 3


def act(squad: DyingSquad, kind: str, order: str) -> list[str]:
    """Do what brings on a transaction of that kind, in which the storage dies. The messages sent."""
    if kind == "cancel":
        task = squad.sent("count", delay=600)
        squad.order(order)
        with Client(squad.home) as client:
            eventually(lambda: _quietly(lambda: client.cancel(task)), "the cancel is answered")
        return [task]
    squad.order(order)
    if kind == "record":
        squad.kill("two")
    if kind == "due":  # one that takes longer than its delay to reach the store is due at once
        tasks = [squad.sent("count", delay=0.1)]
        while not squad.died():
            tasks.append(squad.sent("count", delay=0.1))
        return tasks
    return [squad.sent(name, payload, **fields) for name, payload, fields in MESSAGES.get(kind, COUNT_THREE)]


def _quietly(call: Any) -> Any:
    try:
        return call()
    except SquadError:
        return None


def check(squad: DyingSquad, kind: str, tasks: list[str]) -> None:
    rows = [squad.task(task) for task in tasks]
    failures = [squad.query("SELECT outcome FROM attempts WHERE task_row = ?", row["id"]) for row in rows]
    if kind == "cancel":
        assert [row["status"] for row in rows] == ["cancelled"]
        return
    assert [row["status"] for row in rows] == ["completed"] * len(rows)
    expected = {"retry": ["error"], "release": ["crash"]}.get(kind, [])
    assert [[one["outcome"] for one in of] for of in failures] == [expected] * len(rows)
    assert [row["attempts"] for row in rows] == [len(expected) + 1] * len(rows)
    if kind == "settle":
        children = squad.query("SELECT payload FROM tasks WHERE parent_id = ? ORDER BY id", tasks[0])
        assert [json.loads(child["payload"])["text"] for child in children] == ["0", "1", "2"]


def test_what_happened_is_recorded_once_whatever_died(squad: DyingSquad) -> None:
    """The supervisor says again what the storage has not acknowledged, and the storage knows what it has."""

    def restarts(name: str) -> int:
        return int(squad.tree()[name]["restarts"])

    for when in ("before", "after"):
        before = {name: restarts(name) for name in ("storage", "two")}
        squad.order(f"{when} record")
        squad.kill("two")
        eventually(
            lambda before=before: all(restarts(name) > number for name, number in before.items()),  # type: ignore[misc]
            "both are started again",
        )
    storage, two = restarts("storage"), restarts("two")

    def recorded(name: str) -> int:
        sql = "SELECT count(*) FROM events WHERE kind = 'restarted' AND subject = ?"
        return int(squad.query(sql, name)[0][0])

    eventually(lambda: recorded("storage") >= storage and recorded("two") >= two, "every restart is recorded")
    assert (recorded("storage"), recorded("two")) == (storage, two)


def test_everything_dies_at_a_commit(squad: DyingSquad) -> None:
    squad.order("after settle all")
    message = {"id": new_id(), "recipient": "one", "type": "count", "payload": {}}
    with Client(squad.home, timeout=5) as client:
        _quietly(lambda: client.submit(message))
        squad.launcher.wait(30)
        squad.assert_nothing_left()
        squad.start()
        task = client.submit(message).id
    squad.wait(task)
    assert task == message["id"]
    counted = squad.results("count")
    assert counted == list(range(1, len(counted) + 1))
