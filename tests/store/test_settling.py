"""How leases end."""

from __future__ import annotations

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
    return None if attempts >= 3 else 10.0 * attempts


@pytest.fixture
def claimed(writer: Writer, task: Make) -> Callable[[int], list[Lease]]:
    """Submits and claims that many messages for the worker ``a/1``."""

    def claim(count: int) -> list[Lease]:
        with writer.transaction():
            writer.submit([task() for _ in range(count)], NOW)
            return singly.claim(writer, "a", "a/1", count, NOW)

    return claim


Claimed = Callable[[int], list[Lease]]


def settle(writer: Writer, *outcomes: Outcome, worker: str = "a/1", now: float = NOW + 1) -> Settlement:
    with writer.transaction():
        return singly.settle(writer, worker, "a", outcomes, now, policy)


def done(lease: Lease, **fields: Any) -> Outcome:
    return Outcome(
        lease.row, lease.fence, "done", **{"started": NOW + 0.5, "duration_ms": 400, "result": "1", **fields}
    )


def test_done(writer: Writer, claimed: Claimed, sql: Sql) -> None:
    (lease,) = claimed(1)
    settlement = settle(writer, done(lease))
    assert settlement == Settlement([True], [(lease.task_id, lease.task_id, "completed")])
    assert sql("SELECT status, started_at, completed_at, duration_ms, result FROM tasks") == [
        ("completed", "2027-01-15T08:00:00.500Z", "2027-01-15T08:00:01.000Z", 400, "1")
    ]
    assert sql("SELECT attempts, lease_owner, error_message FROM tasks") == [(1, "a/1", None)]
    assert writer.ended(lease.task_id)


def test_sends_are_children_in_the_same_tree(writer: Writer, claimed: Claimed, task: Make, sql: Sql) -> None:
    (lease,) = claimed(1)
    first, later, own = task("b"), task("c", not_before=NOW + 9), task("d", root_id="r", parent_id="p")
    settlement = settle(writer, done(lease, sends=(first, later, own)))
    assert settlement.woken == {"b", "d"}
    assert settlement.next_due == NOW + 9
    assert sql("SELECT task_id, parent_id, root_id FROM tasks WHERE id > 1 ORDER BY id") == [
        (first.task_id, lease.task_id, lease.task_id),
        (later.task_id, lease.task_id, lease.task_id),
        (own.task_id, "p", "r"),
    ]


def test_a_send_with_a_known_key_is_not_stored_again(writer: Writer, claimed: Claimed, task: Make, sql: Sql) -> None:
    (lease,) = claimed(1)
    settle(writer, done(lease, sends=(task("b", key="k"), task("b", key="k"))))
    assert sql("SELECT COUNT(*) FROM tasks WHERE recipient = 'b'") == [(1,)]


@pytest.mark.parametrize("kind", ["error", "timeout"])
def test_attempts_until_the_policy_gives_up(writer: Writer, claimed: Claimed, sql: Sql, kind: str) -> None:
    (lease,) = claimed(1)
    now = NOW
    for number in (1, 2):
        settlement = settle(writer, Outcome(lease.row, lease.fence, kind, now, 7, error=f"no {number}"), now=now)
        assert settlement == Settlement([True], next_due=now + 10 * number)
        assert sql("SELECT status, attempts, not_before, error_message, lease_owner FROM tasks") == [
            ("queued", number, now + 10 * number, f"no {number}", None)
        ]
        with writer.transaction():
            assert singly.claim(writer, "a", "a/1", 1, now) == []
            now += 10 * number
            assert writer.due(now) == Settlement(woken={"a"})
            (lease,) = singly.claim(writer, "a", "a/1", 1, now)
        assert (lease.attempt, lease.fence) == (number + 1, number + 1)
    settlement = settle(writer, Outcome(lease.row, lease.fence, kind, now, 7, error="no 3"), now=now)
    assert settlement.ended == [(lease.task_id, lease.task_id, "failed")]
    assert sql("SELECT status, attempts, error_message, duration_ms, completed_at IS NULL FROM tasks") == [
        ("failed", 3, "no 3", 7, 0)
    ]
    assert sql("SELECT number, outcome, error, worker FROM attempts ORDER BY id") == [
        (number, kind, f"no {number}", "a/1") for number in (1, 2, 3)
    ]


def test_a_policy_without_delay_makes_ready_at_once(writer: Writer, claimed: Claimed) -> None:
    (lease,) = claimed(1)
    with writer.transaction():
        outcome = Outcome(lease.row, lease.fence, "error", NOW)
        assert singly.settle(writer, "a/1", "a", [outcome], NOW, lambda *_: 0.0) == Settlement([True], woken={"a"})
        assert singly.claim(writer, "a", "a/1", 1, NOW)[0].attempt == 2


def test_refused_is_dead_at_once(writer: Writer, claimed: Claimed, sql: Sql) -> None:
    (lease,) = claimed(1)
    settlement = settle(writer, Outcome(lease.row, lease.fence, "refused", error="never\ud800"))
    assert settlement.ended == [(lease.task_id, lease.task_id, "failed")]
    assert sql("SELECT status, attempts, error_message, duration_ms FROM tasks") == [
        ("failed", 1, "never\\ud800", None)
    ]
    assert sql("SELECT outcome FROM attempts") == [("refused",)]


def test_retry_and_returned_charge_nothing(writer: Writer, claimed: Claimed, sql: Sql) -> None:
    later, now, never_begun = claimed(3)
    settlement = settle(
        writer,
        Outcome(later.row, later.fence, "retry", not_before=NOW + 60, error="rate limit"),
        Outcome(now.row, now.fence, "retry", not_before=NOW),
        Outcome(never_begun.row, never_begun.fence, "returned", not_before=NOW + 60),
    )
    assert settlement == Settlement([True] * 3, woken={"a"}, next_due=NOW + 60)
    assert sql(
        "SELECT status, attempts, not_before, error_message, lease_owner, claimed_at FROM tasks ORDER BY id"
    ) == [
        ("queued", 0, NOW + 60, "rate limit", None, None),
        ("queued", 0, None, None, None, None),
        ("queued", 0, None, None, None, None),
    ]
    assert sql("SELECT * FROM attempts") == []


def test_stale_outcomes_have_no_effect(writer: Writer, claimed: Claimed, task: Make, sql: Sql) -> None:
    first, second = claimed(2)
    with writer.transaction():
        writer.release("a/1", None, "gone", False, NOW, policy)
        (again,) = singly.claim(writer, "a", "a/2", 1, NOW)
    before = sql("SELECT * FROM tasks")
    stale = done(first, sends=(task("b"),), state="{}", state_version=0)
    assert settle(writer, stale, done(second)).accepted == [False, False]
    assert settle(writer, done(again), worker="a/1").accepted == [False]  # another worker's lease
    assert settle(writer, done(again)._replace(row=999), worker="a/2").accepted == [False]
    assert sql("SELECT * FROM tasks") == before
    assert writer.state("a") == (0, "{}")


def test_an_earlier_claim_by_the_same_worker_is_stale(writer: Writer, claimed: Claimed, sql: Sql) -> None:
    (first,) = claimed(1)
    with writer.transaction():
        writer.requeue(writer.open_leases(), NOW)
        (second,) = singly.claim(writer, "a", "a/1", 1, NOW)
    assert settle(writer, done(first, result="first")).accepted == [False]
    assert sql("SELECT status FROM tasks") == [("running",)]
    assert settle(writer, done(first, result="first"), done(second, result="second")).accepted == [False, True]
    assert sql("SELECT result FROM tasks") == [("second",)]


def test_the_same_outcome_twice_counts_once(writer: Writer, claimed: Claimed, task: Make, sql: Sql) -> None:
    (lease,) = claimed(1)
    outcome = done(lease, sends=(task("b"),))
    assert settle(writer, outcome, outcome).accepted == [True, True]
    assert settle(writer, outcome).accepted == [True]  # it was said again: the acknowledgement was lost
    assert sql("SELECT COUNT(*) FROM tasks WHERE recipient = 'b'") == [(1,)]


def test_state_advances_with_each_completion(writer: Writer, claimed: Claimed) -> None:
    first, second, third = claimed(3)
    assert writer.state("a") == (0, "{}")
    settlement = settle(writer, done(first, state='{"n": 1}'), done(second, state='{"n": 2}', state_version=1))
    assert settlement.accepted == [True, True]
    assert writer.state("a") == (2, '{"n": 2}')
    settle(writer, done(third))
    assert writer.state("a") == (2, '{"n": 2}')


def test_state_based_on_another_version_voids_its_outcome(
    writer: Writer, claimed: Claimed, task: Make, sql: Sql
) -> None:
    first, second = claimed(2)
    settle(writer, done(first, state='{"n": 1}'))
    settlement = settle(writer, done(second, state='{"n": 9}', sends=(task("b"),)))
    assert settlement == Settlement([False], woken={"a"})
    assert writer.state("a") == (1, '{"n": 1}')
    assert sql("SELECT recipient, status, attempts FROM tasks WHERE status <> 'completed'") == [("a", "queued", 0)]


@pytest.mark.parametrize(
    "bad",
    [{"priority": 11}, {"payload": "\ud800"}, {"payload": None}],
)
def test_a_bad_send_spoils_its_own_outcome_only(
    writer: Writer, claimed: Claimed, task: Make, sql: Sql, bad: dict[str, Any]
) -> None:
    leases = claimed(3)
    settlement = settle(
        writer,
        done(leases[0], sends=(task("b"),), state="1"),
        done(leases[1], sends=(task("c"), task("b", **bad)), state="2", state_version=1),
        done(leases[2], sends=(task("b"),)),
    )
    assert settlement.accepted == [True, False, True]  # its worker's copy of the state is ahead of ours
    assert [status for _, _, status in settlement.ended] == ["completed", "completed"]
    assert sql("SELECT status, attempts FROM tasks WHERE recipient = 'a' ORDER BY id") == [
        ("completed", 1),
        ("queued", 1),
        ("completed", 1),
    ]
    ((error,),) = sql("SELECT error_message FROM tasks WHERE id = 2")
    assert error.startswith("its outcome could not be stored: ")
    assert sql("SELECT recipient, COUNT(*) FROM tasks WHERE parent_id IS NOT NULL GROUP BY 1") == [("b", 2)]
    assert writer.state("a") == (1, "1")


def test_an_unknown_kind_becomes_an_error(writer: Writer, claimed: Claimed, sql: Sql) -> None:
    (lease,) = claimed(1)
    settle(writer, Outcome(lease.row, lease.fence, "maybe"))
    assert sql("SELECT error FROM attempts") == [("its outcome could not be stored: 'maybe' is no kind of outcome",)]


def test_release_charges_only_what_was_in_hand(writer: Writer, claimed: Claimed, sql: Sql) -> None:
    in_hand, other = claimed(2)
    with writer.transaction():
        settlement = writer.release("a/1", (in_hand.row, in_hand.fence), "killed", True, NOW + 1, policy)
    assert settlement == Settlement(woken={"a"}, next_due=NOW + 11)
    assert sql("SELECT id, status, attempts, error_message FROM tasks ORDER BY id") == [
        (in_hand.row, "queued", 1, "killed"),
        (other.row, "queued", 0, None),
    ]
    assert sql("SELECT task_row, number, outcome, error, started_at FROM attempts") == [
        (in_hand.row, 1, "crash", "killed", "2027-01-15T08:00:00.000Z")
    ]


@pytest.mark.parametrize(("fence", "charge"), [(1, False), (7, True)])
def test_release_without_a_charge(writer: Writer, claimed: Claimed, sql: Sql, fence: int, charge: bool) -> None:
    (lease,) = claimed(1)
    with writer.transaction():
        assert writer.release("a/1", (lease.row, fence), "", charge, NOW, policy) == Settlement(woken={"a"})
    assert sql("SELECT status, attempts FROM tasks") == [("queued", 0)]


def test_a_crash_can_be_the_last_attempt(writer: Writer, claimed: Claimed, sql: Sql) -> None:
    (lease,) = claimed(1)
    with writer.transaction():
        settlement = writer.release("a/1", (lease.row, lease.fence), "killed", True, NOW, lambda *_: None)
    assert settlement.ended == [(lease.task_id, lease.task_id, "failed")]
    assert sql("SELECT status FROM tasks") == [("failed",)]


def test_requeue_takes_back_what_nobody_holds(writer: Writer, claimed: Claimed, sql: Sql) -> None:
    claimed(2)
    leases = writer.open_leases()
    assert leases == [(1, 1, "a/1", "a"), (2, 1, "a/1", "a")]
    with writer.transaction():
        singly.settle(writer, "a/1", "a", [Outcome(1, 1, "done")], NOW, policy)
        assert writer.requeue(leases, NOW) == Settlement([False, True], woken={"a"})
    assert sql("SELECT status, attempts FROM tasks ORDER BY id") == [("completed", 1), ("queued", 0)]
    assert writer.open_leases() == []


def test_settlements_add_up() -> None:
    total = Settlement([True], next_due=9.0)
    total.add(Settlement([False], [("i", "r", "failed")], {"b"}, 7.0))
    total.add(Settlement(next_due=8.0))
    assert total == Settlement([True, False], [("i", "r", "failed")], {"b"}, 7.0)


def test_ended_and_tree_ended(writer: Writer, claimed: Claimed, task: Make) -> None:
    (root,) = claimed(1)
    child, sibling, grandchild = task("b"), task("c"), task("d")
    assert not writer.ended(root.task_id)
    assert not writer.tree_ended(root.task_id)
    assert not writer.ended("unknown")
    assert not writer.tree_ended("unknown")
    settle(writer, done(root, sends=(child, sibling)))
    assert writer.ended(root.task_id)
    assert not writer.tree_ended(root.task_id)
    with writer.transaction():
        (lease,) = singly.claim(writer, "b", "b/1", 1, NOW)
        singly.settle(writer, "b/1", "b", [done(lease, sends=(grandchild,))], NOW, policy)
    assert not writer.tree_ended(child.task_id)
    with writer.transaction():
        (lease,) = singly.claim(writer, "d", "d/1", 1, NOW)
        singly.settle(writer, "d/1", "d", [Outcome(lease.row, lease.fence, "refused")], NOW, policy)
    assert writer.tree_ended(child.task_id)  # its sibling is still open
    assert writer.tree_ended(grandchild.task_id)
    assert not writer.tree_ended(root.task_id)
    with writer.transaction():
        (lease,) = singly.claim(writer, "c", "c/1", 1, NOW)
        singly.settle(writer, "c/1", "c", [done(lease)], NOW, policy)
    assert writer.tree_ended(root.task_id)
