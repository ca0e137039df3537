"""Accepting messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from squad import trace
from squad.errors import StoreError
from squad.store.rows import NewTask, Outcome, Submitted
from squad.store.writer import Settlement, Writer
from tests.store import singly

NOW = 1_800_000_000.25
Make = Callable[..., NewTask]
Sql = Callable[..., list[Any]]


def test_a_message_is_a_queued_row(writer: Writer, task: Make, sql: Sql) -> None:
    one = task("scanner", sender="cli", type="scan", payload='{"path": "/"}', priority=3)
    with writer.transaction():
        assert writer.submit([one], NOW) == [Submitted(one.task_id, False)]
    assert sql("SELECT task_id, sender, recipient, type, priority, status, payload FROM tasks") == [
        (one.task_id, "cli", "scanner", "scan", 3, "queued", '{"path": "/"}')
    ]
    assert sql("SELECT created_at, started_at, root_id, attempts FROM tasks") == [
        ("2027-01-15T08:00:00.250Z", None, one.task_id, 0)
    ]


def test_the_same_id_again_changes_nothing(writer: Writer, task: Make, sql: Sql) -> None:
    first, second = task(payload="1"), task(payload="2")
    with writer.transaction():
        writer.submit([first], NOW)
    with writer.transaction():
        answers = writer.submit([second, first._replace(payload="other")], NOW)
    assert answers == [Submitted(second.task_id, False), Submitted(first.task_id, True)]
    assert sql("SELECT payload FROM tasks ORDER BY id") == [("1",), ("2",)]


def test_the_same_id_twice_in_one_call(writer: Writer, task: Make) -> None:
    one = task()
    with writer.transaction():
        assert [answer.duplicate for answer in writer.submit([one, one], NOW)] == [False, True]


def test_the_same_key_gives_the_first_ones_id(writer: Writer, task: Make, sql: Sql) -> None:
    first, again, elsewhere = task("a", key="k"), task("a", key="k"), task("b", key="k")
    with writer.transaction():
        answers = writer.submit([first, again, elsewhere], NOW)
    assert answers == [
        Submitted(first.task_id, False),
        Submitted(first.task_id, True),
        Submitted(elsewhere.task_id, False),
    ]
    assert sql("SELECT COUNT(*) FROM tasks") == [(2,)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"priority": 11}, "priority BETWEEN 1 AND 10"),
        ({"priority": 0}, "priority BETWEEN 1 AND 10"),
        ({"payload": "\ud800"}, "surrogates not allowed"),
        ({"payload": None}, "NOT NULL constraint failed: tasks.payload"),
        ({"sender": 2**70}, "too large"),
    ],
)
def test_a_bad_row_is_named_and_the_transaction_goes_on(
    writer: Writer, task: Make, sql: Sql, fields: dict[str, Any], message: str
) -> None:
    good, bad, other = task(), task(**fields), task()
    with writer.transaction():
        with pytest.raises(StoreError, match=message) as caught:
            writer.submit([good, bad], NOW)
        assert bad.task_id in caught.value.message
        writer.submit([other], NOW)
    assert sql("SELECT task_id FROM tasks") == [(other.task_id,)]


def test_not_before_is_kept_only_while_it_lies_ahead(writer: Writer, task: Make) -> None:
    with writer.transaction():
        writer.submit([task(not_before=NOW), task(not_before=NOW - 5), task(not_before=NOW + 10)], NOW)
        assert len(singly.claim(writer, "a", "a/1", 10, NOW)) == 2
    assert writer.next_due() == NOW + 10


def test_due_makes_delayed_messages_ready(writer: Writer, task: Make) -> None:
    with writer.transaction():
        writer.submit(
            [task("a", not_before=NOW + 1), task("b", not_before=NOW + 2), task("b", not_before=NOW + 9)], NOW
        )
        assert writer.due(NOW + 0.5) == Settlement(next_due=NOW + 1)
        assert writer.due(NOW + 2) == Settlement(woken={"a", "b"}, next_due=NOW + 9)
        assert writer.due(NOW + 9) == Settlement(woken={"b"})
        assert len(singly.claim(writer, "b", "b/1", 10, NOW + 9)) == 2


def test_claims_by_priority_then_age(writer: Writer, task: Make) -> None:
    late, early, urgent, foreign = task(priority=5), task(priority=5), task(priority=1), task("b", priority=1)
    with writer.transaction():
        writer.submit([late], NOW)
        writer.submit([early, foreign, urgent], NOW)
        assert [lease.task_id for lease in singly.claim(writer, "a", "a/1", 2, NOW)] == [urgent.task_id, late.task_id]
        assert [lease.task_id for lease in singly.claim(writer, "a", "a/2", 5, NOW)] == [early.task_id]
        assert singly.claim(writer, "a", "a/3", 5, NOW) == []


def test_a_lease_carries_the_message(writer: Writer, task: Make) -> None:
    one = task(payload='{"x": 1}', priority=7, sender="cli", root_id="r")
    with writer.transaction():
        writer.submit([one], NOW)
        (lease,) = singly.claim(writer, "a", "a/1", 1, NOW)
    assert lease == (1, 1, one.task_id, "cli", "t", '{"x": 1}', 7, 1, "r", None)
    assert writer.open_leases() == [(1, 1, "a/1", "a")]


def test_a_trace_from_outside_goes_with_the_message_and_with_the_reply_to_it(
    writer: Writer, task: Make, sql: Sql
) -> None:
    outside = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answered, late = (
        task(traceparent=outside, reply_to="b"),
        task("c", traceparent=outside, reply_to="b", reply_timeout=5.0),
    )
    with writer.transaction():
        writer.submit([answered, late], NOW)
        (lease,) = singly.claim(writer, "a", "a/1", 1, NOW)
        singly.settle(writer, "a/1", "a", [Outcome(*lease.claim, "done", result="1")], NOW, lambda *_: None)
        writer.due(NOW + 10)

    assert lease.traceparent == outside
    replies = sql("SELECT parent_id, traceparent FROM tasks WHERE recipient = 'b'")
    assert replies == [(sent.task_id, trace.inherited(sent.task_id, outside)) for sent in (answered, late)]


def test_nothing_is_written_outside_a_transaction(writer: Writer, task: Make) -> None:
    with pytest.raises(RuntimeError, match="inside transaction"):
        writer.submit([task()], NOW)
    with pytest.raises(RuntimeError, match="open already"), writer.transaction(), writer.transaction():
        pass


def test_an_exception_undoes_the_transaction(writer: Writer, task: Make, sql: Sql) -> None:
    with pytest.raises(KeyError), writer.transaction():
        writer.submit([task()], NOW)
        raise KeyError
    assert sql("SELECT * FROM tasks") == []


def test_history_and_keeper(writer: Writer, sql: Sql) -> None:
    with writer.transaction():
        writer.record_events([("crash", "scanner", "{}")], NOW)
        writer.record_resizes([("checker", 2, 4, "queue", '{"queued": 9}')], NOW)
        writer.put([("pinned", "3"), ("other", "{}")], NOW)
        writer.put([("pinned", "4")], NOW + 1)
    assert writer.get("pinned") == "4"
    assert writer.get("nothing") is None
    assert sql("SELECT kind, subject, detail, at FROM events") == [
        ("crash", "scanner", "{}", "2027-01-15T08:00:00.250Z")
    ]
    assert sql("SELECT convoy, from_size, to_size, reason, readings FROM convoy_resizes") == [
        ("checker", 2, 4, "queue", '{"queued": 9}')
    ]
    assert sql("SELECT value, updated_at FROM keeper WHERE key = 'pinned'") == [("4", "2027-01-15T08:00:01.250Z")]
