"""Messages from their sending to their end, on every store."""

from __future__ import annotations

import pytest

from squad.errors import StoreError
from squad.store.rows import Outcome
from tests.store import singly
from tests.store.conformance.stores import NOW, Store, done, ended, task, three_attempts


def test_a_message_is_stored_as_it_was_sent(store: Store) -> None:
    sent = task(sender="me", type="scan", payload='{"path":"grüß"}', priority=2, key="k")
    assert store.submit(sent) == [sent.task_id]
    detail = store.look(sent.task_id)
    row = detail.message
    assert (row.sender, row.recipient, row.type, row.priority, row.key) == ("me", "a", "scan", 2, "k")
    assert (row.status, row.attempts, row.parent_id, row.root_id) == ("queued", 0, None, sent.task_id)
    assert (row.created_at, row.started_at, row.completed_at) == ("2027-01-15T08:00:00.000Z", None, None)
    assert detail.payload == '{"path":"grüß"}'


def test_the_same_id_or_key_is_stored_once(store: Store) -> None:
    first = task(key="k")
    with store.backend.transaction():
        assert store.backend.submit([first, first], NOW) == [(first.task_id, False), (first.task_id, True)]
    with store.backend.transaction():
        again = store.backend.submit([first, task(key="k"), task("b", key="k")], NOW)
    assert [stored.duplicate for stored in again] == [True, True, False]
    assert [stored.task_id for stored in again[:2]] == [first.task_id, first.task_id]
    assert store.backend.depths == {"a": 1, "b": 1}


def test_a_bad_message_spoils_its_submit_and_not_the_transaction(store: Store) -> None:
    good, bad, other = task(), task(priority=11), task()
    with store.backend.transaction():
        with pytest.raises(StoreError, match=bad.task_id):
            store.backend.submit([good, bad], NOW)
        store.backend.submit([other], NOW)
    assert [lease.task_id for lease in store.claim()] == [other.task_id]


def test_a_savepoint_undoes_what_was_done_in_it_only(store: Store) -> None:
    kept, undone = task(), task()
    with store.backend.transaction():
        store.backend.submit([kept], NOW)
        with pytest.raises(KeyError), store.backend.savepoint():
            store.backend.submit([undone], NOW)
            assert store.backend.depth("a") == 2
            raise KeyError
        assert store.backend.depth("a") == 1
    assert [lease.task_id for lease in store.claim()] == [kept.task_id]


def test_an_exception_undoes_the_whole_transaction(store: Store) -> None:
    with pytest.raises(KeyError), store.backend.transaction():
        store.backend.submit([task()], NOW)
        raise KeyError
    assert (store.claim(), store.backend.depths) == ([], {})


def test_nothing_is_changed_outside_a_transaction_and_none_nests(store: Store) -> None:
    with pytest.raises(RuntimeError):
        store.backend.submit([task()], NOW)
    with pytest.raises(RuntimeError):
        singly.claim(store.backend, "a", "a.1", 1, NOW)
    with store.backend.transaction(), pytest.raises(RuntimeError), store.backend.transaction():
        raise AssertionError("unreachable")


def test_claims_go_by_priority_and_then_by_age(store: Store) -> None:
    tasks = [task(priority=priority) for priority in (5, 9, 1, 5)]
    store.submit(*tasks)
    store.submit(task("b", priority=1))
    order = [tasks[i].task_id for i in (2, 0, 3, 1)]
    assert [lease.task_id for lease in store.claim(limit=3)] == order[:3]
    assert [lease.task_id for lease in store.claim(limit=3)] == order[3:]
    assert store.claim(limit=3) == []


def test_a_lease_carries_the_message_and_is_fenced(store: Store) -> None:
    sent = task(sender="me", type="scan", payload='{"a":1}', priority=3, root_id="r", parent_id="p", traceparent="t")
    store.submit(sent)
    (lease,) = store.claim()
    assert lease[2:] == (sent.task_id, "me", "scan", '{"a":1}', 3, 1, "r", "t")
    assert store.backend.open_leases() == [(lease.row, lease.fence, "a.1", "a")]
    assert store.settle(ended(lease, "returned")).accepted == [True]
    (again,) = store.claim(worker="a.2")
    assert (again.row, again.attempt) == (lease.row, 1)
    assert again.fence > lease.fence
    stale = store.settle(done(lease), worker="a.1"), store.settle(done(lease), worker="a.2")
    assert [settlement.accepted for settlement in stale] == [[False], [False]]
    assert store.status(sent.task_id) == "running"


def test_a_completion_commits_with_what_it_sent_and_with_the_state(store: Store) -> None:
    root = task()
    store.submit(root)
    (lease,) = store.claim()
    child, late = task("b"), task("b", not_before=NOW + 60)
    settlement = store.settle(done(lease, result='{"n":1}', sends=(child, late), state='{"s":1}', state_version=0))
    assert (settlement.accepted, settlement.woken, settlement.next_due) == ([True], {"b"}, NOW + 60)
    assert settlement.ended == [(root.task_id, root.task_id, "completed")]
    detail = store.look(root.task_id)
    assert (detail.result, detail.message.duration_ms, detail.message.attempts) == ('{"n":1}', 5, 1)
    assert [(row.task_id, row.parent_id, row.root_id) for row in detail.children] == [
        (sent.task_id, root.task_id, root.task_id) for sent in (child, late)
    ]
    assert store.backend.state("a") == (1, '{"s":1}')
    assert (store.backend.ended(root.task_id), store.backend.tree_ended(root.task_id)) == (True, False)


def test_a_state_that_is_out_of_date_voids_its_completion(store: Store) -> None:
    store.submit(task(), task())
    first, second = store.claim()
    settlement = store.settle(
        done(first, state='{"n":1}', state_version=0),
        done(second, state='{"n":9}', state_version=0, sends=(task("b"),)),
    )
    assert settlement.accepted == [True, False]
    assert store.backend.state("a") == (1, '{"n":1}')
    assert store.status(second.task_id) == "queued"
    assert store.claim("b") == []


def test_attempts_are_charged_until_the_policy_gives_up(store: Store) -> None:
    (sent,) = store.submit(task())
    now = NOW
    for attempt, kind in enumerate(("error", "timeout", "error"), 1):
        (lease,) = store.claim(now=now)
        assert lease.attempt == attempt
        settlement = store.settle(ended(lease, kind, error=f"no {attempt}"), now=now)
        if attempt < 3:
            assert settlement.next_due == now + 10 * attempt
            assert store.claim(now=now + 5) == []
            now += 10 * attempt
            assert store.due(now).woken == {"a"}
    assert settlement.ended == [(sent, sent, "failed")]
    detail = store.look(sent)
    assert (detail.message.status, detail.message.error_message, detail.message.attempts) == ("failed", "no 3", 3)
    assert [(a.number, a.outcome, a.error) for a in detail.attempts] == [
        (1, "error", "no 1"),
        (2, "timeout", "no 2"),
        (3, "error", "no 3"),
    ]


def test_what_is_given_back_or_refused(store: Store) -> None:
    ids = store.submit(task(), task(), task())
    later, back, never = store.claim()
    settlement = store.settle(
        ended(later, "retry", not_before=NOW + 30), ended(back, "returned"), ended(never, "refused", error="not mine")
    )
    assert (settlement.accepted, settlement.next_due) == ([True] * 3, NOW + 30)
    assert [store.status(i) for i in ids] == ["queued", "queued", "failed"]
    assert [store.look(i).message.attempts for i in ids] == [0, 0, 1]
    assert [lease.task_id for lease in store.claim()] == [back.task_id]


def test_an_outcome_that_cannot_be_stored_is_an_error_and_harms_no_other(store: Store) -> None:
    store.submit(task(), task())
    good, bad = store.claim()
    settlement = store.settle(done(bad, sends=(task("b"), task("b", priority=0))), done(good))
    assert settlement.accepted == [True, True]
    assert [store.status(lease.task_id) for lease in (good, bad)] == ["completed", "queued"]
    assert store.claim("b") == []


def test_a_worker_that_is_gone_pays_for_what_it_had_in_hand(store: Store) -> None:
    ids = store.submit(task(), task())
    first, second = store.claim()
    with store.backend.transaction():
        settlement = store.backend.release("a.1", (first.row, first.fence), "killed", True, NOW, three_attempts)
    assert settlement.woken == {"a"}
    assert [store.look(i).message.attempts for i in ids] == [1, 0]
    assert [a.outcome for a in store.look(ids[0]).attempts] == ["crash"]
    assert store.settle(done(second)).accepted == [False]
    assert [lease.task_id for lease in store.claim()] == [ids[1]]


def test_leases_that_nobody_holds_are_put_back(store: Store) -> None:
    (sent,) = store.submit(task())
    store.claim()
    store.again()
    (running,) = store.backend.open_leases()
    with store.backend.transaction():
        stale = running._replace(fence=running.fence - 1)
        assert store.backend.requeue([stale, running], NOW).accepted == [False, True]
    (lease,) = store.claim()
    assert (lease.task_id, lease.attempt) == (sent, 1)


def test_delayed_messages_become_ready_at_their_time(store: Store) -> None:
    store.submit(task(not_before=NOW + 20), task(not_before=NOW + 10), task(not_before=NOW - 10))
    assert len(store.claim()) == 1
    assert store.backend.next_due() == NOW + 10
    settlement = store.due(NOW + 10)
    assert (settlement.woken, settlement.next_due) == ({"a"}, NOW + 20)
    assert len(store.claim(now=NOW + 10)) == 1


def test_depths_are_exact_whatever_happens(store: Store) -> None:
    store.submit(task(), task(not_before=NOW + 5), task("b"))
    assert store.backend.depths == {"a": 2, "b": 1}
    with store.backend.transaction():
        store.backend.submit([task()], NOW)
        assert dict(store.backend.changed) == {"a": 1}
    (first, _) = store.claim()
    store.settle(done(first, sends=(task("b"),)))
    with pytest.raises(KeyError), store.backend.transaction():
        store.backend.submit([task("c")], NOW)
        raise KeyError
    assert store.backend.depths == {"a": 1, "b": 2}
    store.again()
    assert store.backend.depths == {"a": 1, "b": 2}
    assert (store.backend.depth("b"), store.backend.depth("c")) == (2, 0)


def test_all_of_it_is_there_after_a_restart(store: Store) -> None:
    sent = task()
    store.submit(sent, task(not_before=NOW + 60))
    (lease,) = store.claim()
    store.settle(done(lease, state='{"n":1}', state_version=0))
    store.again()
    assert store.status(sent.task_id) == "completed"
    assert store.backend.state("a") == (1, '{"n":1}')
    assert store.backend.next_due() == NOW + 60
    store.submit(task())
    (next_lease,) = store.claim()
    assert next_lease.row > lease.row


@pytest.mark.parametrize("kind", ["", "finished"])
def test_an_outcome_of_no_known_kind_is_an_error(store: Store, kind: str) -> None:
    (sent,) = store.submit(task())
    (lease,) = store.claim()
    store.settle(Outcome(lease.row, lease.fence, kind))
    assert [attempt.outcome for attempt in store.look(sent).attempts] == ["error"]
