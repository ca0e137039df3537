"""What the broker hands out to nobody, over a real database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from squad.actors.broker.gate import Gate
from squad.actors.protocol import Hold, Ready, Recall, Released
from squad.config.schema import StoreConfig
from squad.store.holds import KEY, Holds
from squad.store.writer import Writer
from squad.testing.clock import ManualClock
from tests.actors.a_storage import Storage, task

NOW = 1_780_000_000.0


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "squad.db", StoreConfig())
    yield made
    made.close()


def order(gate: Gate, writer: Writer, action: Any, *names: str, now: float = NOW, **more: Any) -> tuple[str, ...]:
    with writer.transaction():
        return gate.carry_out(writer, Hold("r", action, names, **more), now).changed


def new_gate(clock: ManualClock | None = None) -> Gate:
    return Gate(clock or ManualClock(NOW, threading.Condition()))


def test_it_is_shut_as_long_as_anything_is_on_hold(writer: Writer) -> None:
    gate = new_gate()
    assert not gate.shut
    assert order(gate, writer, "pause", "a", "b") == ("a", "b")
    assert gate.free(["a", "c"]) == ["c"]  # at once: nothing is handed out in the same transaction
    assert gate.commit() == gate.holds
    assert gate.commit() is None
    assert order(gate, writer, "freeze", "squad", grace=5.0) == ("squad",)
    gate.commit()
    assert (gate.free(["a", "c"]), gate.cut_at) == ([], 5)
    again = new_gate()
    again.recover(writer.get(KEY))
    assert (again.holds, again.shut, again.cut_at) == (gate.holds, True, 5)
    assert order(gate, writer, "look") == ()
    assert order(gate, writer, "thaw", "squad") == ("squad",)
    assert order(gate, writer, "thaw", "squad") == ()
    assert order(gate, writer, "resume") == ("a", "b")
    gate.commit()
    assert (gate.shut, gate.cut_at, gate.free(["a"])) == (False, None, ["a"])


def test_what_was_not_committed_did_not_happen(writer: Writer) -> None:
    gate = new_gate()
    order(gate, writer, "freeze", "squad", grace=5.0)
    gate.roll_back()
    assert (gate.shut, gate.cut_at, gate.holds, gate.commit()) == (False, None, Holds(), None)


def test_who_is_still_at_work_when_the_grace_is_over(writer: Writer) -> None:
    gate = new_gate()
    order(gate, writer, "freeze", "squad", grace=5.0)
    gate.commit()
    assert gate.overdue(4, ["a.1"]) == {}
    late = gate.overdue(5, ["a.1", "b.1"])
    assert late == dict.fromkeys(("a.1", "b.1"), "the squad is frozen, and its handler did not end within 5.0s")
    assert gate.overdue(6, ["b.1"]) == {}
    assert gate.cut_at == 10  # and says it again, should that have been lost
    assert gate.overdue(10, ["b.1"]).keys() == {"b.1"}
    assert gate.overdue(20, []) == {}
    assert gate.cut_at is None


def test_a_worker_that_missed_it_is_told_again_to_give_back_what_it_has(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "squad.db")
    storage.submit(task("a"), task("a"))
    storage.put(Ready("a", "a.1", 1), "a.1")
    (lease,) = storage.post.until(lambda: storage.post.leases("a.1"))
    storage.put(Hold("r", "pause", ("a",)), "gateway")
    storage.post.until(lambda: storage.post.of("a.1", Recall))
    storage.put(Ready("a", "a.1", 5, held=(lease.claim,)), "a.1")
    storage.post.until(lambda: len(storage.post.of("a.1", Recall)) == 2)
    storage.put(Released("a.1", None, "its process died"), "supervisor")
    storage.put(Ready("a", "a.2", 5), "a.2")
    storage.put(Hold("r", "resume", ("a",)), "gateway")
    assert len(storage.post.until(lambda: storage.post.leases("a.2"))) == 2
    storage.close()
