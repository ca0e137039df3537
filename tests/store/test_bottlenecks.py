from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from squad.store import bottlenecks
from squad.store.rows import NewTask, Outcome
from squad.store.writer import Writer
from tests.cli.a_meter import a_busy_squad
from tests.store import singly
from tests.store.test_plans import plan

NOW = 1_780_000_000.0
Handled = Callable[..., str]


@pytest.fixture
def handled(writer: Writer, task: Callable[..., NewTask]) -> Handled:
    """A message that was handled, at ``at``; its id."""

    def handle(
        at: float, ms: int | None, recipient: str = "a", worker: str = "a.1", kind: str = "done", **fields: Any
    ) -> str:
        sent = task(recipient, **fields)
        with writer.transaction():
            writer.submit([sent], at - 10)
            (lease,) = singly.claim(writer, recipient, worker, 1, at - 1)
        if ms is not None:
            outcome = Outcome(lease.row, lease.fence, kind, started=at - 0.5, duration_ms=ms, error="no")
            with writer.transaction():
                singly.settle(writer, worker, recipient, [outcome], at, lambda *_: None)
        return sent.task_id

    return handle


def test_the_slowest_of_a_time_come_first(database: Database, handled: Handled) -> None:
    handled(NOW - 5, 9000)
    two = [handled(NOW + 1, 300, type="x"), handled(NOW + 2, 700, "b", "b.1")]
    handled(NOW + 3, 800, type="quiet")
    handled(NOW + 4, 900, kind="error")  # a dead letter
    found = bottlenecks.slowest(database, 10, NOW, NOW + 4, without="quiet")
    assert [task.id for task in found] == two[::-1]
    assert found[0].document() == {
        "id": two[1],
        "agent": "b",
        "type": "t",
        "duration_ms": 700,
        "waited_ms": 9500,
        "created_at": "2026-05-28T20:26:32.000Z",
        "started_at": "2026-05-28T20:26:41.500Z",
        "completed_at": "2026-05-28T20:26:42.000Z",
    }
    assert [task.duration_ms for task in bottlenecks.slowest(database, 2)] == [9000, 800]
    assert [task.duration_ms for task in bottlenecks.slowest(database, 9, least_ms=700)] == [9000, 800, 700]
    assert bottlenecks.count_slow(database, NOW, NOW + 9, least_ms=700) == 2
    assert bottlenecks.count_slow(database, NOW, NOW + 9, least_ms=700, without="quiet") == 1


def test_the_time_until_it_was_ready_is_no_waiting(database: Database, handled: Handled, path: Path) -> None:
    handled(NOW, 5)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tasks SET ready_at = ?", (NOW - 2,))
    assert bottlenecks.slowest(database, 1)[0].waited_ms == 1500
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tasks SET started_at = 'never'")
    assert bottlenecks.slowest(database, 1)[0].waited_ms is None


def test_what_is_in_hand_for_the_longest_time_comes_first(database: Database, handled: Handled) -> None:
    later, sooner = handled(NOW + 60, None), handled(NOW, None, "b", "b.7")
    assert [task.id for task in bottlenecks.longest_running(database, 5)] == [sooner, later]
    assert [task.id for task in bottlenecks.longest_running(database, 5, until=NOW)] == [sooner]
    assert [task.id for task in bottlenecks.longest_running(database, 5, since=NOW)] == [later]
    document = bottlenecks.longest_running(database, 1)[0].document(NOW + 9)
    assert (document["worker"], document["running_ms"]) == ("b.7", 10_000)
    assert bottlenecks.longest_running(database, 1)[0].document(0.0)["running_ms"] == 0  # the clock was set


def test_groups_are_compared_by_p95(database: Database, path: Path) -> None:
    import time

    assert bottlenecks.groups(database, "agent", NOW, time.time(), 5) == []
    a_busy_squad(path)
    agents = [group.document() for group in bottlenecks.groups(database, "agent", time.time() - 600, time.time(), 5)]
    assert [(row["agent"], row["handling_ms"]["count"]) for row in agents] == [("checker", 110), ("scanner", 10)]
    assert agents[0]["handling_ms"]["most"] == 2000
    assert agents[0]["handling_ms"]["p95"] == pytest.approx(2000, rel=0.05)
    assert agents[0]["waiting_ms"]["count"] == 4
    assert sum(row["share"] for row in agents) == pytest.approx(1, abs=0.002)
    types = bottlenecks.groups(database, "type", time.time() - 600, time.time(), 2)
    assert [group.name for group in types] == ["check", "scan"]


def test_what_ended_is_counted_by_agent_convoy_and_worker(database: Database, handled: Handled) -> None:
    for second, worker in enumerate(("c-1.4", "c-1.4", "c-2.9"), start=1):
        handled(NOW + second, 1, "c", worker)
    handled(NOW + 4, 1, "a", "a.2", kind="error")
    found = bottlenecks.ended(database, NOW, NOW + 9, 100)
    assert (found.total, found.since, found.until) == (4, NOW, NOW + 9)
    assert found.counts == {"c": 3, "c-1": 2, "c-2": 1, "a": 1}
    newest = bottlenecks.ended(database, NOW, NOW + 9, 2)
    assert (newest.total, newest.since, newest.counts) == (2, NOW + 3, {"a": 1, "c": 1, "c-2": 1})
    assert bottlenecks.ended(database, NOW + 5, NOW + 9, 2).total == 0


def test_only_what_ended_then_is_read(path: Path, writer: Writer) -> None:
    """By the index on ends: a message that ended before, or has not ended, costs nothing."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in (bottlenecks._SLOWEST, bottlenecks._COUNT, bottlenecks._ENDED):
            assert "SEARCH tasks USING INDEX tasks_ended (completed_at>? AND completed_at<?)" in plan(
                connection, statement
            )
        assert "TEMP B-TREE" not in plan(connection, bottlenecks._ENDED)
        assert "SEARCH tasks USING INDEX tasks_running (status=?)" in plan(connection, bottlenecks._RUNNING)
