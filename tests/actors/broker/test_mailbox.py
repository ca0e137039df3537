"""The broker with a real database and a real writer thread; addresses are names, and what it sends is collected."""

from __future__ import annotations

import time

import pytest

from squad.actors.protocol import (
    Deliver,
    Ready,
    Record,
    Released,
    ReleaseDone,
    Settle,
    State,
    Submit,
    SubmitDone,
    Unwatch,
    Watch,
    Watched,
)
from squad.events import event
from tests.actors.a_storage import Storage, done, task


def test_a_submitted_message_is_delivered_and_settled(storage: Storage) -> None:
    sent = task()
    storage.put(Ready("a", "a.1", 1), "A")
    assert storage.submit(sent).results == ((sent.task_id, False),)
    lease = storage.post.until(lambda: storage.post.leases("A"))[0]
    assert (lease.task_id, lease.attempt) == (sent.task_id, 1)
    storage.put(Settle("a", "a.1", (done(lease),)), "A")
    assert storage.post.until(lambda: storage.post.settled("A")) == [(lease.row, lease.fence, True)]


def test_the_window_is_never_passed_and_a_settlement_brings_the_next(storage: Storage) -> None:
    storage.submit(*[task() for _ in range(10)])
    storage.put(Ready("a", "a.1", 3), "A")
    leases = storage.post.until(lambda: storage.post.leases("A"))
    assert len(leases) == 3
    storage.put(Settle("a", "a.1", tuple(done(lease) for lease in leases[:2])), "A")
    storage.post.until(lambda: len(storage.post.leases("A")) == 5)
    answer = storage.post.of("A", Deliver)[-1]
    assert len(answer.leases) == len(answer.settled) == 2  # one packet says both


def test_the_order_is_priority_then_age(storage: Storage) -> None:
    rows = [task(priority=p) for p in (5, 1, 10, 1, 5)]
    storage.submit(*rows)
    storage.put(Ready("a", "a.1", 10), "A")
    got = [lease.task_id for lease in storage.post.until(lambda: storage.post.leases("A"))]
    assert got == [rows[i].task_id for i in (1, 3, 0, 4, 2)]


def test_a_message_that_waits_for_its_time_holds_up_nobody(storage: Storage) -> None:
    storage.put(Ready("a", "a.1", 1), "A")
    later, now = task(not_before=time.time() + 3600, priority=1), task(priority=10)
    storage.submit(later, now)
    first = storage.post.until(lambda: storage.post.leases("A"))[0]
    assert first.task_id == now.task_id
    storage.put(Settle("a", "a.1", (done(first),)), "A")
    soon = task(not_before=time.time() + 0.3)
    storage.submit(soon)
    second = storage.post.until(lambda: storage.post.leases("A")[1:])[0]
    assert second.task_id == soon.task_id
    assert time.time() >= (soon.not_before or 0)


def test_two_workers_share_and_the_emptier_one_is_served_first(storage: Storage) -> None:
    storage.put(Ready("a", "a.1", 1), "A")
    storage.put(Ready("a", "a.2", 4), "B")
    storage.submit(*[task() for _ in range(6)])
    storage.post.until(lambda: len(storage.post.leases("A")) + len(storage.post.leases("B")) == 5)
    assert len(storage.post.leases("B")) == 4
    rows = [lease.row for lease in storage.post.leases("A") + storage.post.leases("B")]
    assert len(set(rows)) == 5


def test_a_released_worker_gives_back_and_its_late_word_is_not_believed(storage: Storage) -> None:
    storage.put(Ready("a", "a.1", 2), "A")
    storage.submit(task(), task())
    first, second = storage.post.until(lambda: len(storage.post.leases("A")) == 2 and storage.post.leases("A"))
    storage.put(Released("a.1", (first.row, first.fence), "its process died"), "supervisor")
    storage.post.until(lambda: storage.post.of("supervisor", ReleaseDone))
    storage.put(Settle("a", "a.1", (done(first), done(second))), "A")
    storage.post.until(lambda: len(storage.post.settled("A")) == 2)
    assert [accepted for _, _, accepted in storage.post.settled("A")] == [False, False]
    storage.put(Ready("a", "a.1", 2), "A")  # it was on its way when the worker died
    storage.put(Ready("a", "a.2", 2), "B")
    again = storage.post.until(lambda: len(storage.post.leases("B")) == 2 and storage.post.leases("B"))
    assert {lease.row: lease.attempt for lease in again} == {first.row: 2, second.row: 1}
    assert len(storage.post.leases("A")) == 2


def test_a_delivery_that_was_lost_is_noticed(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put(Ready("a", "a.1", 1), "A")
    storage.submit(task())
    storage.post.until(lambda: storage.post.leases("A"))
    monkeypatch.setattr("squad.actors.broker.workers._IN_FLIGHT", 600.0)
    storage.put(Ready("a", "a.1", 1), "A")  # may still be on its way: nothing happens
    storage.submit(task("nobody"))
    assert len(storage.post.leases("A")) == 1
    monkeypatch.setattr("squad.actors.broker.workers._IN_FLIGHT", -1.0)
    storage.put(Ready("a", "a.1", 1), "A")
    first, again = storage.post.until(lambda: len(storage.post.leases("A")) == 2 and storage.post.leases("A"))
    assert (again.row, again.attempt) == (first.row, 1)
    assert again.fence > first.fence


def test_a_storage_that_starts_again_keeps_what_living_workers_hold(storage: Storage) -> None:
    storage.put(Ready("a", "a.1", 1), "A")
    storage.put(Ready("b", "b.1", 1), "B")
    storage.submit(task("a"), task("b"))
    mine = storage.post.until(lambda: storage.post.leases("A"))[0]
    lost = storage.post.until(lambda: storage.post.leases("B"))[0]
    storage.close()
    storage.open(alive=["a.1"])
    storage.put(Ready("a", "a.1", 1, ((mine.row, mine.fence),)), "A")
    storage.put(Settle("a", "a.1", (done(mine),)), "A")
    assert storage.post.until(lambda: storage.post.settled("A")) == [(mine.row, mine.fence, True)]
    storage.put(Ready("b", "b.2", 1), "B2")
    assert storage.post.until(lambda: storage.post.leases("B2"))[0].task_id == lost.task_id


def test_an_outcome_that_comes_before_its_worker_introduces_itself_makes_room(storage: Storage) -> None:
    storage.put(Ready("a", "a.1", 1), "A")
    storage.submit(task(), task())
    mine = storage.post.until(lambda: storage.post.leases("A"))[0]
    storage.close()
    storage.open(alive=["a.1"])
    storage.put(Settle("a", "a.1", (done(mine),)), "A")
    storage.post.until(lambda: storage.post.settled("A"))
    storage.put(Ready("a", "a.1", 1, ((mine.row, mine.fence),)), "A")  # said before it had the answer
    _, following = storage.post.until(lambda: len(storage.post.leases("A")) == 2 and storage.post.leases("A"))
    assert following.row != mine.row


def test_an_outcome_said_twice_counts_once(storage: Storage) -> None:
    storage.put(Ready("a", "a.1", 1), "A")
    storage.submit(task())
    lease = storage.post.until(lambda: storage.post.leases("A"))[0]
    child = task("b", parent_id=lease.task_id, root_id=lease.task_id)
    outcome = done(lease, sends=(child,))
    storage.put(Settle("a", "a.1", (outcome,)), "A")
    storage.put(Settle("a", "a.1", (outcome,)), "A")
    storage.post.until(lambda: len(storage.post.settled("A")) == 2)
    assert [accepted for _, _, accepted in storage.post.settled("A")] == [True, True]
    storage.put(Ready("b", "b.1", 5), "B")
    storage.submit(task("nobody"))
    assert len(storage.post.until(lambda: storage.post.leases("B"))) == 1


def test_after_a_kill_of_everything_what_was_in_hand_is_charged(storage: Storage) -> None:
    storage.put(Ready("a", "a.1", 2), "A")
    storage.submit(task(), task())
    first, second = storage.post.until(lambda: len(storage.post.leases("A")) == 2 and storage.post.leases("A"))
    storage.close()
    storage.open(alive=None, in_hand={"a.1": (first.row, first.fence)})
    storage.put(Ready("a", "a.9", 2), "A9")
    again = storage.post.until(lambda: len(storage.post.leases("A9")) == 2 and storage.post.leases("A9"))
    assert {lease.row: lease.attempt for lease in again} == {first.row: 2, second.row: 1}


def test_state_is_given_and_kept(storage: Storage) -> None:
    storage.put(Ready("a", "a.1", 0, want_state=True), "A")
    assert storage.post.until(lambda: storage.post.of("A", State)) == [State(0, "{}")]
    storage.put(Ready("a", "a.1", 1), "A")
    storage.submit(task())
    lease = storage.post.until(lambda: storage.post.leases("A"))[0]
    storage.put(Settle("a", "a.1", (done(lease, state='{"n":1}', state_version=0),)), "A")
    storage.put(Ready("a", "a.2", 0, want_state=True), "A2")
    assert storage.post.until(lambda: storage.post.of("A2", State)) == [State(1, '{"n":1}')]


def test_a_watch_ends_with_its_message_and_a_tree_watch_with_all_that_came_of_it(storage: Storage) -> None:
    root = task()
    storage.submit(root)
    storage.put(Watch("one", root.task_id, tree=False))
    storage.put(Watch("all", root.task_id, tree=True))
    storage.put(Watch("nobody waits", root.task_id, tree=False))
    storage.put(Unwatch("nobody waits"))
    storage.put(Ready("a", "a.1", 1), "A")
    lease = storage.post.until(lambda: storage.post.leases("A"))[0]
    child = task("b", parent_id=root.task_id, root_id=root.task_id)
    storage.put(Settle("a", "a.1", (done(lease, sends=(child,)),)), "A")
    storage.post.until(lambda: storage.post.of("gateway", Watched))
    storage.submit(task("nobody"))
    assert storage.post.of("gateway", Watched) == [Watched("one")]
    storage.put(Ready("b", "b.1", 1), "B")
    lease = storage.post.until(lambda: storage.post.leases("B"))[0]
    storage.put(Settle("b", "b.1", (done(lease),)), "B")
    storage.post.until(lambda: Watched("all") in storage.post.of("gateway", Watched))
    storage.put(Watch("late", root.task_id, tree=True))
    storage.post.until(lambda: Watched("late") in storage.post.of("gateway", Watched))


def test_one_message_that_cannot_be_stored_does_not_spoil_its_neighbours(storage: Storage) -> None:
    good, bad = task(), task(priority=99)
    blocker = storage.writer.transaction
    assert blocker is not None
    storage.put(Submit("good", (good,)))
    storage.put(Submit("bad", (bad,)))
    storage.post.until(lambda: len(storage.post.of("gateway", SubmitDone)) == 2)
    answers = {m.request: m for m in storage.post.of("gateway", SubmitDone)}
    assert (answers["good"].error, answers["good"].results) == ("", ((good.task_id, False),))
    assert bad.task_id in answers["bad"].error


def test_history_is_written(storage: Storage) -> None:
    storage.put(Record((event("restarted", "a"),), (("c", 2, 3, "work is waiting", "{}"),), (("pin", "3"),)))
    storage.submit(task())
    assert storage.writer.get("pin") == "3"
