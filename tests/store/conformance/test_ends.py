"""Ends that no handler has, and the replies which tell of ends, on every store."""

from __future__ import annotations

import json
from typing import Any

import pytest

from squad.errors import QueueFullError, RefusedError
from squad.store.rows import DeadFilter
from tests.store.conformance.stores import NOW, Store, done, ended, task, three_attempts


def test_what_is_over_its_time_expires_and_is_never_handed_out(store: Store) -> None:
    brief, lasting = store.submit(task(expires_at=NOW + 5), task(expires_at=NOW + 50))
    assert store.backend.next_due() == NOW + 5
    assert [lease.task_id for lease in store.claim(now=NOW + 5)] == [lasting]
    assert store.due(NOW + 5).ended == [(brief, brief, "expired")]
    assert "time to live" in (store.look(brief).message.error_message or "")


def test_the_oldest_are_dropped(store: Store) -> None:
    ids = store.submit(task(priority=1), task(), task("b"))
    with store.backend.transaction():
        settlement = store.backend.drop_oldest("a", 1, "the mailbox was full", NOW)
    assert settlement.ended == [(ids[0], ids[0], "expired")]
    assert store.look(ids[0]).message.error_message == "the mailbox was full"
    assert store.backend.depths == {"a": 1, "b": 1}


def test_a_message_that_waits_is_cancelled_at_once(store: Store) -> None:
    (sent,) = store.submit(task())
    with store.backend.transaction():
        settlement, running = store.backend.cancel(sent, False, NOW)
    assert (settlement.ended, running) == ([(sent, sent, "cancelled")], [])
    assert store.claim() == []
    with store.backend.transaction():
        settlement, running = store.backend.cancel(sent, True, NOW)
    assert (settlement.ended, running) == ([], [])


@pytest.mark.parametrize("kind", ["error", "cancelled", "returned", "retry"])
def test_a_message_that_runs_ends_as_cancelled(store: Store, kind: str) -> None:
    (sent,) = store.submit(task())
    (lease,) = store.claim()
    with store.backend.transaction():
        _, running = store.backend.cancel(sent, False, NOW)
    assert running == store.backend.cancelling() == [(lease.row, lease.fence, "a.1", "a")]
    assert store.settle(ended(lease, kind, error="stopped")).ended == [(sent, sent, "cancelled")]
    assert store.backend.cancelling() == []


def test_a_completion_counts_unless_its_tree_was_cancelled(store: Store) -> None:
    alone, root = store.submit(task(), task())
    first, second = store.claim()
    with store.backend.transaction():
        store.backend.cancel(alone, False, NOW)
        store.backend.cancel(root, True, NOW)
    settlement = store.settle(done(first, sends=(task("b"),)), done(second, sends=(task("b"),)))
    assert {(task_id, status) for task_id, _, status in settlement.ended} == {(alone, "completed"), (root, "cancelled")}
    assert len(store.claim("b")) == 1


def test_a_tree_is_cancelled_with_all_that_came_of_it(store: Store) -> None:
    (root,) = store.submit(task())
    (lease,) = store.claim()
    children = (task("b"), task("c"))
    store.settle(done(lease, sends=children))
    (held,) = store.claim("b", worker="b.1")
    with store.backend.transaction():
        settlement, running = store.backend.cancel(root, True, NOW)
    assert [task_id for task_id, _, _ in settlement.ended] == [children[1].task_id]
    assert [one.row for one in running] == [held.row]
    assert not store.backend.tree_ended(root)
    store.settle(ended(held, "cancelled"), worker="b.1", agent="b")
    assert store.backend.tree_ended(root)


# -- replies ---------------------------------------------------------------------------------------------------------


def replies(store: Store, now: float = NOW + 100) -> list[dict[str, Any]]:
    return [json.loads(lease.payload) for lease in store.claim("me", worker="me.1", now=now)]


def test_a_reply_tells_how_a_message_ended_in_the_same_transaction(store: Store) -> None:
    good, bad, gone = store.submit(*[task(reply_to="me") for _ in range(3)])
    first, second = store.claim(limit=2)
    settlement = store.settle(done(first, result='{"n":1}'), ended(second, "refused", error="no"))
    assert settlement.woken == {"me"}
    with store.backend.transaction():
        store.backend.cancel(gone, False, NOW)
    told = replies(store)
    assert [(one["of"], one["type"], one["status"]) for one in told] == [
        (good, "t", "completed"),
        (bad, "t", "failed"),
        (gone, "t", "cancelled"),
    ]
    assert (told[0]["result"], told[1]["error"]) == ({"n": 1}, "no")


def test_a_late_reply_is_told_once_as_timed_out(store: Store) -> None:
    (sent,) = store.submit(task(reply_to="me", reply_timeout=10.0))
    (lease,) = store.claim()
    assert store.backend.next_due() == NOW + 10
    store.due(NOW + 10)
    assert [(one["of"], one["status"]) for one in replies(store)] == [(sent, "timed_out")]
    store.settle(done(lease), now=NOW + 11)
    assert replies(store) == []
    assert store.status(sent) == "completed"


# -- dead letters ----------------------------------------------------------------------------------------------------


def dead(store: Store, *errors: str) -> list[str]:
    ids = store.submit(*[task(type=f"t{n}") for n, _ in enumerate(errors)])
    leases = store.claim(limit=len(errors))
    store.settle(*[ended(lease, "refused", error=error) for lease, error in zip(leases, errors, strict=True)])
    return ids


def test_dead_letters_are_found_by_id_and_by_filter(store: Store) -> None:
    ids = dead(store, "Disk full", "no such file", "disk gone")
    assert [letter.task_id for letter in store.backend.dead(ids[1:2])] == ids[1:2]
    found = store.backend.dead(DeadFilter(agent="a", error="DISK"))
    assert [letter.task_id for letter in found] == [ids[0], ids[2]]
    assert store.backend.dead(DeadFilter(type="t1"))[0].error == "no such file"
    assert store.backend.dead(DeadFilter(agent="b")) == []
    assert store.backend.dead(DeadFilter(since=NOW + 2)) == []
    (queued,) = store.submit(task())
    with pytest.raises(RefusedError) as caught:
        store.backend.dead([ids[0], queued, "nobody"])
    assert [problem.where for problem in caught.value.problems] == [queued, "nobody"]


def test_a_replay_begins_anew_and_keeps_the_history(store: Store) -> None:
    ids = dead(store, "one", "two")
    letters = store.backend.dead(ids)
    with store.backend.transaction(), pytest.raises(QueueFullError):
        store.backend.replay(letters, lambda recipient: 1, NOW)
    assert [store.status(i) for i in ids] == ["failed", "failed"]
    with store.backend.transaction():
        assert store.backend.replay(letters, lambda recipient: None, NOW).woken == {"a"}
    first, _ = store.claim()
    assert first.attempt == 1
    store.settle(ended(first, "refused", error="again"))
    assert [(a.number, a.error) for a in store.look(ids[0]).attempts] == [(1, "one"), (2, "again")]


def test_an_edit_and_a_drop(store: Store) -> None:
    mended, dropped = dead(store, "one", "two")
    with store.backend.transaction():
        store.backend.edit(store.backend.dead([mended])[0], '{"new":1}', NOW)
        store.backend.drop(store.backend.dead([dropped]), NOW)
    assert (store.look(mended).payload, store.status(mended)) == ('{"new":1}', "failed")
    assert [letter.task_id for letter in store.backend.dead(DeadFilter())] == [mended]


def test_a_death_by_crash_is_a_dead_letter_too(store: Store) -> None:
    (sent,) = store.submit(task())
    for _ in range(3):
        (lease,) = store.claim()
        with store.backend.transaction():
            store.backend.release("a.1", (lease.row, lease.fence), "killed", True, NOW, three_attempts)
            store.backend.due(NOW + 100)
    assert [letter.task_id for letter in store.backend.dead(DeadFilter())] == [sent]
