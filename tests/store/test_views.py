"""The views, by plain SQL, as a user of the sqlite3 shell has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from squad.store.rows import NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

NOW = 1_800_000_000.0
Make = Callable[..., NewTask]
Sql = Callable[..., list[Any]]


@pytest.fixture
def busy(writer: Writer, task: Make) -> Writer:
    """``a`` has completed three messages in 10, 20 and 30 ms and failed one; ``a`` and ``b`` have messages waiting."""
    with writer.transaction():
        writer.submit([task("a", task_id=f"done {number}") for number in range(4)], NOW)
        outcomes = [
            Outcome(lease.row, lease.fence, "done" if lease.row < 4 else "refused", NOW + 1, 10 * lease.row)
            for lease in singly.claim(writer, "a", "a/1", 4, NOW)
        ]
        singly.settle(writer, "a/1", "a", outcomes, NOW + 2, lambda *_: None)
        writer.submit([task("a", priority=priority) for priority in range(1, 11)], NOW)
        writer.submit([task("b", priority=2, not_before=NOW + 60)], NOW)
    return writer


def test_bottlenecks(busy: Writer, sql: Sql) -> None:
    query = "SELECT task_id, agent, type, duration_ms, created_at, started_at, completed_at FROM bottlenecks"
    times = ("2027-01-15T08:00:00.000Z", "2027-01-15T08:00:01.000Z", "2027-01-15T08:00:02.000Z")
    assert sql(query) == [
        ("done 2", "a", "t", 30, *times),
        ("done 1", "a", "t", 20, *times),
        ("done 0", "a", "t", 10, *times),
    ]


def test_bottlenecks_are_a_hundred(writer: Writer, task: Make, sql: Sql) -> None:
    with writer.transaction():
        writer.submit([task() for _ in range(120)], NOW)
        outcomes = [
            Outcome(lease.row, lease.fence, "done", NOW, lease.row)
            for lease in singly.claim(writer, "a", "a/1", 120, NOW)
        ]
        singly.settle(writer, "a/1", "a", outcomes, NOW, lambda *_: None)
    assert sql("SELECT duration_ms FROM bottlenecks") == [(duration,) for duration in range(120, 20, -1)]


def test_agent_performance(busy: Writer, sql: Sql) -> None:
    query = """
        SELECT agent, total_tasks, completed_tasks, failed_tasks, avg_duration_ms, max_duration_ms, min_duration_ms
        FROM agent_performance ORDER BY agent
    """
    assert sql(query) == [("a", 14, 3, 1, 20.0, 30, 10), ("b", 1, 0, 0, None, None, None)]


def test_queue_depth(busy: Writer, sql: Sql) -> None:
    query = "SELECT agent, queued_tasks, high_priority, normal_priority, low_priority FROM queue_depth ORDER BY agent"
    assert sql(query) == [("a", 10, 2, 5, 3), ("b", 1, 1, 0, 0)]


def test_the_views_have_exactly_these_columns(writer: Writer, sql: Sql) -> None:
    def columns(view: str) -> list[str]:
        return [row[0] for row in sql("SELECT name FROM pragma_table_info(?)", view)]

    assert columns("bottlenecks") == [
        "task_id", "agent", "type", "duration_ms", "created_at", "started_at", "completed_at",
    ]  # fmt: skip
    assert columns("agent_performance") == [
        "agent", "total_tasks", "completed_tasks", "failed_tasks",
        "avg_duration_ms", "max_duration_ms", "min_duration_ms",
    ]  # fmt: skip
    assert columns("queue_depth") == ["agent", "queued_tasks", "high_priority", "normal_priority", "low_priority"]
