"""What the database knows of why a message waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from peewee import Database

from squad.errors import UsageError
from squad.store import waiting
from squad.store.holds import KEY, Holds, Pause
from squad.store.rows import NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

NOW = 1_800_000_000.0
Make = Callable[..., NewTask]


def test_the_place_in_the_queue(writer: Writer, database: Database, task: Make) -> None:
    rows = [task(priority=5), task(priority=1), task(priority=5), task(priority=9), task("b", priority=1)]
    later = task(priority=1, not_before=NOW + 60)
    with writer.transaction():
        writer.submit([*rows, later], NOW)
    ahead = [waiting.look(database, row.task_id, NOW).ahead for row in (*rows, later)]
    assert ahead == [1, 0, 2, 3, 0, 1]  # what is delayed is before nobody; its own place is that of now


def test_who_has_what(writer: Writer, database: Database, task: Make) -> None:
    rows = [task(), task(), task("b")]
    with writer.transaction():
        writer.submit(rows, NOW)
        singly.claim(writer, "a", "a.1", 2, NOW + 1)
    found = waiting.look(database, rows[1].task_id, NOW + 2)
    assert [(lease.task_id, lease.worker, lease.fence) for lease in found.claimed] == [
        (row.task_id, "a.1", 1) for row in rows[:2]
    ]
    assert found.own == found.claimed[1]
    assert waiting.look(database, rows[2].task_id, NOW).own is None


def test_the_rate_is_that_of_the_last_minutes(writer: Writer, database: Database, task: Make) -> None:
    task_id = ""
    for second in (0, 400, 410, 420, 430, 440):
        one = task()
        task_id = one.task_id
        with writer.transaction():
            writer.submit([one, task("b")], NOW + second)
            (lease,) = singly.claim(writer, "a", "a.1", 1, NOW + second)
            done = Outcome(lease.row, lease.fence, "done", NOW + second, 1, result="{}")
            singly.settle(writer, "a.1", "a", [done], NOW + second, lambda *_: None)
    found = waiting.look(database, task_id, NOW + 450)
    assert (found.per_minute, found.seconds) == (6.0, 50.0)
    assert waiting.look(database, task_id, NOW + 5000).per_minute is None
    with writer.transaction():
        (lease,) = singly.claim(writer, "b", "b.1", 1, NOW + 900)
        singly.settle(writer, "b.1", "b", [Outcome(lease.row, lease.fence, "done", NOW, 1)], NOW + 900, lambda *_: None)
    few = waiting.look(database, lease.task_id, NOW + 905)  # one in 5 s makes no 12 a minute
    assert (few.per_minute, few.seconds) == (1.0, 60.0)


def test_its_last_failure_and_what_is_on_hold(writer: Writer, database: Database, task: Make) -> None:
    one = task()
    holds = Holds({"a": Pause(NOW, "me")})
    with writer.transaction():
        writer.submit([one], NOW)
        for error in ("first", "last"):
            (lease,) = singly.claim(writer, "a", "a.1", 1, NOW)
            singly.settle(
                writer, "a.1", "a", [Outcome(lease.row, lease.fence, "error", NOW, 1, error=error)], NOW, lambda *_: 0.0
            )
            writer.due(NOW + 1)
        writer.put([(KEY, holds.text())], NOW)
    found = waiting.look(database, one.task_id[-12:], NOW)
    assert found.failure is not None
    assert (found.failure.error, found.fence, found.holds) == ("last", 2, holds)


def test_one_that_is_not_there(database: Database) -> None:
    with pytest.raises(UsageError, match="there is no message"):
        waiting.look(database, "ffffffffffff", NOW)


@pytest.mark.parametrize(
    ("statement", "found_by"),
    [
        (waiting._HIGHER, "SEARCH queued USING PRIMARY KEY (recipient=? AND priority<?)"),
        (waiting._OLDER, "SEARCH tasks USING COVERING INDEX tasks_queued"),
        (waiting._CLAIMED, "SEARCH tasks USING INDEX tasks_running (status=?)"),
        (waiting._ENDED, "SEARCH tasks USING INDEX tasks_ended (completed_at>?)"),
    ],
)
def test_it_is_cheap_however_many_messages_there_are(path: Path, writer: Writer, statement: str, found_by: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        values = ["x"] * statement.count("?")
        found = "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))
    assert found_by in found
