"""How messages end without a handler: by their time, by a full mailbox, cancelled; and those who are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from squad.store.rows import Lease, NewTask, Outcome
from squad.store.writer import Settlement, Writer
from tests.store import singly

NOW = 1_800_000_000.0
Make = Callable[..., NewTask]
Sql = Callable[..., list[Any]]


def policy(recipient: str, kind: str, attempts: int) -> float | None:
    return None if attempts >= 2 else 10.0


def claim(writer: Writer, recipient: str = "a", limit: int = 10, now: float = NOW) -> list[Lease]:
    with writer.transaction():
        return singly.claim(writer, recipient, f"{recipient}/1", limit, now)


def settle(writer: Writer, *outcomes: Outcome, recipient: str = "a", now: float = NOW) -> Settlement:
    with writer.transaction():
        return singly.settle(writer, f"{recipient}/1", recipient, outcomes, now, policy)


def submit(writer: Writer, *tasks: NewTask, now: float = NOW) -> None:
    with writer.transaction():
        writer.submit(tasks, now)


def due(writer: Writer, now: float) -> Settlement:
    with writer.transaction():
        return writer.due(now)


def replies(sql: Sql) -> list[tuple[Any, ...]]:
    found = sql("SELECT recipient, sender, parent_id, root_id, priority, payload FROM tasks WHERE type = 'squad.reply'")
    return [(*row[:-1], json.loads(row[-1])) for row in found]


def reply(task: NewTask, status: str, error: str = "", result: Any = None) -> tuple[Any, ...]:
    about = {"of": task.task_id, "type": "t", "status": status, "error": error, "result": result}
    return ("asker", "a", task.task_id, task.root_id or task.task_id, task.priority, about)


# -- time to live ----------------------------------------------------------------------------------------------------


def test_what_is_over_is_never_handed_out_and_ends_as_expired(writer: Writer, task: Make, sql: Sql) -> None:
    brief, lasting = task(expires_at=NOW + 5), task(expires_at=NOW + 60)
    submit(writer, brief, lasting)
    assert writer.next_due() == NOW + 5
    assert [lease.task_id for lease in claim(writer, now=NOW + 5)] == [lasting.task_id]  # though nobody looked at it
    settlement = due(writer, NOW + 5)
    assert settlement == Settlement(ended=[(brief.task_id, brief.task_id, "expired")])
    assert sql("SELECT status, completed_at, error_message FROM tasks WHERE task_id = ?", brief.task_id) == [
        ("expired", "2027-01-15T08:00:05.000Z", "its time to live was over before it was handled")
    ]
    assert writer.depths == {}
    assert writer.ended(brief.task_id)


def test_one_that_waits_for_its_time_expires_as_well(writer: Writer, task: Make, sql: Sql) -> None:
    submit(writer, task(not_before=NOW + 50, expires_at=NOW + 20))
    assert due(writer, NOW + 20).ended[0][2] == "expired"
    assert due(writer, NOW + 50) == Settlement()


def test_one_that_runs_does_not_expire_unless_it_comes_back(writer: Writer, task: Make, sql: Sql) -> None:
    submit(writer, task(expires_at=NOW + 5), task(expires_at=NOW + 5))
    first, second = claim(writer)
    assert writer.next_due() is None
    assert due(writer, NOW + 6) == Settlement()
    back = settle(writer, Outcome(first.row, first.fence, "error", error="boom"), now=NOW + 6)
    assert back.next_due == NOW + 5
    settle(writer, Outcome(second.row, second.fence, "done", result="1"), now=NOW + 6)
    assert [status for _, _, status in due(writer, NOW + 6).ended] == ["expired"]
    assert sql("SELECT status FROM tasks ORDER BY id") == [("expired",), ("completed",)]


# -- dropping --------------------------------------------------------------------------------------------------------


def test_the_oldest_are_dropped_whatever_their_priority(writer: Writer, task: Make, sql: Sql) -> None:
    urgent, running, later, new = (
        task(priority=1),
        task(priority=1),
        task(not_before=NOW + 60, priority=9),
        task(priority=5),
    )
    submit(writer, running)
    claim(writer, limit=1)
    submit(writer, urgent, later, task("b"), new)
    with writer.transaction():
        done = writer.drop_oldest("a", 2, "the mailbox was full", NOW)
    assert [task_id for task_id, _, _ in done.ended] == [urgent.task_id, later.task_id]
    assert (
        sql("SELECT status, error_message FROM tasks WHERE completed_at IS NOT NULL")
        == [("expired", "the mailbox was full")] * 2
    )
    assert writer.depths == {"a": 1, "b": 1}


# -- cancelling ------------------------------------------------------------------------------------------------------


def test_one_that_waits_ends_at_once(writer: Writer, task: Make, sql: Sql) -> None:
    ready, later = task(), task(not_before=NOW + 60)
    submit(writer, ready, later)
    for one in (ready, later):
        with writer.transaction():
            done, running = writer.cancel(one.task_id, False, NOW + 1)
        assert (done, running) == (Settlement(ended=[(one.task_id, one.task_id, "cancelled")]), [])
    assert set(sql("SELECT status, completed_at, error_message, started_at FROM tasks")) == {
        ("cancelled", "2027-01-15T08:00:01.000Z", "cancelled before it was handled", None)
    }
    assert writer.depths == {}
    assert claim(writer) == []
    assert writer.next_due() is None
    with writer.transaction():
        assert writer.cancel(ready.task_id, True, NOW + 2) == (Settlement(), [])
        assert writer.cancel("nobody", True, NOW + 2) == (Settlement(), [])


@pytest.mark.parametrize("kind", ["error", "timeout", "refused", "retry", "returned", "cancelled"])
def test_one_that_runs_is_cancelled_by_however_it_ends(writer: Writer, task: Make, sql: Sql, kind: str) -> None:
    submit(writer, task())
    (lease,) = claim(writer)
    with writer.transaction():
        done, (running,) = writer.cancel(lease.task_id, False, NOW + 1)
    assert (done, tuple(running)) == (Settlement(), (lease.row, lease.fence, "a/1", "a"))
    assert writer.cancelling() == [running]
    settlement = settle(writer, Outcome(lease.row, lease.fence, kind, NOW, 1500, error="stopped"), now=NOW + 2)
    assert settlement == Settlement([True], [(lease.task_id, lease.task_id, "cancelled")])
    assert sql("SELECT status, attempts, started_at, duration_ms, error_message FROM tasks") == [
        ("cancelled", 0, "2027-01-15T08:00:00.000Z", 1500, "cancelled while it was handled")
    ]
    assert sql("SELECT * FROM attempts") == []
    assert writer.cancelling() == []


def test_a_completion_counts_when_only_its_message_was_cancelled(writer: Writer, task: Make, sql: Sql) -> None:
    submit(writer, task())
    (lease,) = claim(writer)
    with writer.transaction():
        writer.cancel(lease.task_id, False, NOW)
    assert settle(writer, Outcome(lease.row, lease.fence, "done", sends=(task("b"),))).accepted == [True]
    assert sql("SELECT recipient, status FROM tasks ORDER BY id") == [("a", "completed"), ("b", "queued")]


@pytest.mark.parametrize("again", [False, True])
def test_a_completion_does_not_count_when_its_tree_was_cancelled(
    writer: Writer, task: Make, sql: Sql, again: bool
) -> None:
    submit(writer, task())
    (lease,) = claim(writer)
    with writer.transaction():
        writer.cancel(lease.task_id, True, NOW)
        writer.cancel(lease.task_id, again, NOW)  # the stricter of two holds
    outcome = Outcome(lease.row, lease.fence, "done", NOW, sends=(task("b"),), state="{}", state_version=0)
    assert settle(writer, outcome) == Settlement([False], [(lease.task_id, lease.task_id, "cancelled")])
    assert sql("SELECT recipient, status FROM tasks") == [("a", "cancelled")]
    assert writer.state("a") == (0, "{}")


def test_a_completion_on_top_of_another_state_is_cancelled_and_not_tried_again(writer: Writer, task: Make) -> None:
    submit(writer, task())
    (lease,) = claim(writer)
    with writer.transaction():
        writer.cancel(lease.task_id, False, NOW)
    done = settle(writer, Outcome(lease.row, lease.fence, "done", state="{}", state_version=7))
    assert done == Settlement([False], [(lease.task_id, lease.task_id, "cancelled")])


@pytest.mark.parametrize(("in_hand", "started"), [(True, "2027-01-15T08:00:00.000Z"), (False, None)])
def test_when_its_worker_dies_it_is_cancelled(
    writer: Writer, task: Make, sql: Sql, in_hand: bool, started: str | None
) -> None:
    submit(writer, task(), task())
    lease, other = claim(writer)
    with writer.transaction():
        writer.cancel(lease.task_id, False, NOW)
        hand = (lease.row, lease.fence) if in_hand else None
        done = writer.release("a/1", hand, "killed", True, NOW, policy)
    assert done == Settlement(ended=[(lease.task_id, lease.task_id, "cancelled")], woken={"a"})
    assert sql("SELECT status, started_at FROM tasks ORDER BY id") == [("cancelled", started), ("queued", None)]
    assert other.row == 2


def test_when_nobody_holds_it_after_a_restart_it_is_cancelled(writer: Writer, task: Make) -> None:
    submit(writer, task())
    (lease,) = claim(writer)
    with writer.transaction():
        writer.cancel(lease.task_id, False, NOW)
        done = writer.requeue(writer.open_leases(), NOW)
    assert done == Settlement([True], [(lease.task_id, lease.task_id, "cancelled")])


def test_a_tree_is_cancelled_from_any_of_its_messages_on(writer: Writer, task: Make, sql: Sql) -> None:
    submit(writer, task("a", task_id="root"), task("z", task_id="foreign"))
    (root,) = claim(writer)
    settle(writer, Outcome(root.row, root.fence, "done", sends=(task("b", task_id="b"), task("c", task_id="c"))))
    (b,) = claim(writer, "b")
    settle(
        writer, Outcome(b.row, b.fence, "done", sends=(task("d", task_id="d"), task("d", task_id="e"))), recipient="b"
    )
    (d,) = claim(writer, "d", limit=1)
    with writer.transaction():
        done, running = writer.cancel("b", True, NOW)
    assert ({task_id for task_id, _, _ in done.ended}, [one.row for one in running]) == ({"e"}, [d.row])
    with writer.transaction():
        done, running = writer.cancel("root", True, NOW)
    assert ({task_id for task_id, _, _ in done.ended}, [one.row for one in running]) == ({"c"}, [d.row])
    assert dict(sql("SELECT task_id, status FROM tasks")) == {
        **{"root": "completed", "b": "completed", "c": "cancelled", "d": "running", "e": "cancelled"},
        "foreign": "queued",
    }


# -- replies ---------------------------------------------------------------------------------------------------------


def test_a_completion_is_told_with_its_result_in_the_same_transaction(writer: Writer, task: Make, sql: Sql) -> None:
    one = task(reply_to="asker", priority=3, root_id="root")
    submit(writer, one)
    (lease,) = claim(writer)
    settlement = settle(writer, Outcome(lease.row, lease.fence, "done", result='{"größe": [1, null]}'))
    assert settlement.woken == {"asker"}
    assert replies(sql) == [reply(one, "completed", result={"größe": [1, None]})]
    assert writer.depths == {"asker": 1}


def test_a_void_completion_is_not_told(writer: Writer, task: Make, sql: Sql) -> None:
    submit(writer, task(reply_to="asker"))
    (lease,) = claim(writer)
    settle(writer, Outcome(lease.row, lease.fence + 1, "done", result="1"))
    settle(writer, Outcome(lease.row, lease.fence, "done", result="1", state="{}", state_version=5))
    assert replies(sql) == []


def test_a_dead_letter_is_told_but_not_the_attempts_before(writer: Writer, task: Make, sql: Sql) -> None:
    one = task(reply_to="asker")
    submit(writer, one)
    for number, now in ((1, NOW), (2, NOW + 10)):
        due(writer, now)
        (lease,) = claim(writer, now=now)
        settle(writer, Outcome(lease.row, lease.fence, "error", error=f"no {number}"), now=now)
    assert replies(sql) == [reply(one, "failed", "no 2")]


def test_expiry_dropping_and_cancelling_are_told(writer: Writer, task: Make, sql: Sql) -> None:
    over, dropped, waits, runs = (
        task(reply_to="asker", expires_at=NOW + 1),
        *(task(reply_to="asker", priority=9) for _ in range(2)),
        task(reply_to="asker", priority=1),
    )
    submit(writer, over, dropped, waits, runs)
    (lease,) = claim(writer, limit=1)
    with writer.transaction():
        assert writer.due(NOW + 1).woken == {"asker"}
        assert writer.drop_oldest("a", 1, "full", NOW).woken == {"asker"}
        assert writer.cancel(waits.task_id, False, NOW).settlement.woken == {"asker"}
        writer.cancel(runs.task_id, False, NOW)
        assert writer.release("a/1", (lease.row, lease.fence), "killed", True, NOW, policy).woken == {"asker"}
    assert replies(sql) == [
        reply(over, "expired", "its time to live was over before it was handled"),
        reply(dropped, "expired", "full"),
        reply(waits, "cancelled", "cancelled before it was handled"),
        reply(runs, "cancelled", "cancelled while it was handled"),
    ]


@pytest.mark.parametrize("not_before", [None, NOW + 100])
def test_a_reply_that_is_late_is_told_once_as_timed_out(
    writer: Writer, task: Make, sql: Sql, not_before: float | None
) -> None:
    one = task(reply_to="asker", reply_timeout=30.0, not_before=not_before)
    submit(writer, one)
    ready = not_before or NOW
    due(writer, ready)
    (lease,) = claim(writer, now=ready)
    assert writer.next_due() == ready + 30
    assert due(writer, ready + 29.9) == Settlement(next_due=ready + 30)
    assert due(writer, ready + 30) == Settlement(woken={"asker"})
    settle(writer, Outcome(lease.row, lease.fence, "done", result="1"), now=ready + 31)
    assert replies(sql) == [reply(one, "timed_out", "no reply came within 30 s")]
    assert sql("SELECT status FROM tasks WHERE task_id = ?", one.task_id) == [("completed",)]


def test_a_reply_in_time_is_the_only_one(writer: Writer, task: Make, sql: Sql) -> None:
    one = task(reply_to="asker", reply_timeout=30.0)
    submit(writer, one)
    (lease,) = claim(writer)
    settle(writer, Outcome(lease.row, lease.fence, "done", result="1"))
    assert writer.next_due() is None
    assert due(writer, NOW + 31) == Settlement()
    assert [row[-1]["status"] for row in replies(sql)] == ["completed"]


def test_what_a_handler_sends_may_expire_and_be_replied_to(writer: Writer, task: Make) -> None:
    submit(writer, task())
    (lease,) = claim(writer)
    sends = (task("b", expires_at=NOW + 9), task("b", reply_to="a", reply_timeout=7.0))
    assert settle(writer, Outcome(lease.row, lease.fence, "done", sends=sends)).next_due == NOW + 7
    assert writer.next_due() == NOW + 7
