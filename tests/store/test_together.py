"""Claims and ends of many workers at once are what they are one by one, and what was undone is not remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from squad.store.bulk import Bulk
from squad.store.rows import Lease, NewTask, Outcome
from squad.store.settling import Batch
from squad.store.writer import Writer
from tests.store import singly

NOW = 1_800_000_000.0
Make = Callable[..., NewTask]
Sql = Callable[..., list[Any]]


def policy(recipient: str, kind: str, attempts: int) -> float | None:
    return None


def done(lease: Lease, **fields: Any) -> Outcome:
    return Outcome(lease.row, lease.fence, "done", NOW, 3, "1", **fields)


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 200])
def test_rows_keep_their_order_however_many_there_are(writer: Writer, task: Make, sql: Sql, count: int) -> None:
    tasks = [task("a", key=f"k{n}") if n % 7 == 3 else task("a") for n in range(count)]
    with writer.transaction():
        writer.submit(tasks, NOW)
        leases = singly.claim(writer, "a", "a/1", 500, NOW)
        singly.settle(writer, "a/1", "a", [done(lease) for lease in leases], NOW, policy)
    assert [lease.task_id for lease in leases] == [row.task_id for row in tasks]
    assert sql("SELECT task_id FROM tasks WHERE status = 'completed' ORDER BY id") == [(t.task_id,) for t in tasks]


def test_each_worker_is_given_what_it_takes_in_its_turn(writer: Writer, task: Make, sql: Sql) -> None:
    with writer.transaction():
        writer.submit([task("a", priority=n) for n in (5, 1, 3, 2)] + [task("b")], NOW)
        given = writer.claim({"a": [("a.1", 2), ("a.2", 1), ("a.3", 4), ("a.4", 1)], "b": [("b", 9)], "c": []}, NOW)
    assert {worker: [lease.priority for lease in leases] for worker, leases in given.items()} == {
        "a.1": [1, 2],
        "a.2": [3],
        "a.3": [5],
        "b": [5],
    }
    for worker, leases in given.items():
        for lease in leases:
            assert sql("SELECT lease_owner, fence, status FROM tasks WHERE id = ?", lease.row) == [
                (worker, lease.fence, "running")
            ]


def test_ends_of_many_workers(writer: Writer, task: Make, sql: Sql) -> None:
    with writer.transaction():
        writer.submit([task("a"), task("a"), task("b"), task("b")], NOW)
        given = writer.claim({"a": [("a.1", 1), ("a.2", 1)], "b": [("b", 2)]}, NOW)
    ((one,), (two,), (three, four)) = given["a.1"], given["a.2"], given["b"]
    with writer.transaction():
        settlement = writer.settle(
            [
                Batch("a.1", "a", [done(two), done(one)]),  # the first one is not its own
                Batch("a.2", "a", [done(two, sends=(task("b", priority=11),))]),  # which cannot be stored
                Batch("b", "b", [done(three, state="{}"), done(four, state='{"n": 2}', state_version=1), done(four)]),
            ],
            NOW,
            policy,
        )
    assert settlement.accepted == [False, True, True, True, True, True]  # the last one says the same thing again
    assert sql("SELECT status FROM tasks ORDER BY id") == [("completed",), ("failed",), ("completed",), ("completed",)]
    assert "could not be stored" in sql("SELECT error_message FROM tasks WHERE id = ?", two.row)[0][0]
    assert writer.state("b") == (2, '{"n": 2}')
    assert sql("SELECT messages FROM totals WHERE status = 'completed'") == [(3,)]


def test_a_claim_that_was_undone_is_not_remembered(writer: Writer, task: Make, sql: Sql) -> None:
    with writer.transaction():
        writer.submit([task("a")], NOW)
    with pytest.raises(KeyError), writer.transaction():
        (lease,) = singly.claim(writer, "a", "a.1", 1, NOW)
        raise KeyError
    with writer.transaction():
        with pytest.raises(KeyError), writer.savepoint():
            singly.claim(writer, "a", "a.1", 1, NOW)
            raise KeyError
        assert singly.settle(writer, "a.1", "a", [done(lease)], NOW, policy).accepted == [False]
    assert sql("SELECT status, fence FROM tasks") == [("queued", 0)]
    assert writer.depths == {"a": 1}


def test_an_end_that_was_undone_can_be_said_again(writer: Writer, task: Make, sql: Sql) -> None:
    with writer.transaction():
        writer.submit([task("a")], NOW)
        (lease,) = singly.claim(writer, "a", "a.1", 1, NOW)
    with pytest.raises(KeyError), writer.transaction():
        assert singly.settle(writer, "a.1", "a", [done(lease)], NOW, policy).accepted == [True]
        raise KeyError
    assert sql("SELECT messages FROM totals WHERE status = 'completed'") == [(0,)]
    with writer.transaction():
        assert singly.settle(writer, "a.1", "a", [done(lease)], NOW, policy).accepted == [True]
    assert sql("SELECT messages FROM totals WHERE status = 'completed'") == [(1,)]


def test_a_lease_that_was_cancelled_after_its_claim(writer: Writer, task: Make, sql: Sql) -> None:
    message = task("a")
    with writer.transaction():
        writer.submit([message], NOW)
        (lease,) = singly.claim(writer, "a", "a.1", 1, NOW)
        writer.cancel(message.task_id, True, NOW)
        assert singly.settle(writer, "a.1", "a", [done(lease)], NOW, policy).accepted == [False]
    assert sql("SELECT status FROM tasks") == [("cancelled",)]
    assert sql("SELECT status FROM totals WHERE messages = 1") == [("cancelled",)]


def test_texts_are_few(writer: Writer) -> None:
    """All of them stay compiled: SQLite's module keeps 128 statements."""
    bulk = Bulk("VALUES {rows}", "(?)")
    assert bulk.text(4) == "VALUES (?), (?), (?), (?)"
    assert bulk.text(64).count("?") == 64
