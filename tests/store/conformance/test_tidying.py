"""What is old leaves every store a little at a time, and what is said about a message stays true in the archive."""

from __future__ import annotations

import pytest

from squad.clock import Clock
from squad.errors import RefusedError
from squad.store import queries
from squad.store.upkeep.course import Course
from squad.store.upkeep.terms import Terms
from tests.store.conformance.stores import NOW, Store, done, ended, task
from tests.store.moved_clock import MovedClock

DAY = 86_400.0
LATER = NOW + 31 * DAY


def tidied(store: Store, clock: Clock) -> None:
    course = Course(store.backend, clock)
    course.take(Terms())
    course.begin("hand", "run")
    while course.turn(0.0) is None:
        pass


def test_a_message_in_the_archive(store: Store) -> None:
    old = task(key="k")
    store.submit(old)
    (lease,) = store.claim()
    child = task(parent_id=old.task_id, root_id=old.task_id)
    store.settle(done(lease, sends=(child,)))
    tidied(store, MovedClock(LATER))
    assert not store.look(old.task_id).archived  # its child is open
    assert not store.backend.tree_ended(old.task_id)
    store.settle(*(done(one) for one in store.claim(now=LATER)), now=LATER)
    tidied(store, MovedClock(LATER))
    shown = store.look(old.task_id)
    assert (shown.archived, shown.message.status, shown.message.key) == (True, "completed", "k")
    assert [effect.task_id for effect in shown.children] == [child.task_id]
    assert [cause.task_id for cause in store.look(child.task_id).ancestors] == [old.task_id]
    assert (store.backend.ended(old.task_id), store.backend.tree_ended(old.task_id)) == (True, True)
    with store.pool.connection() as database:
        assert queries.totals(database) == {"completed": 1}
        assert queries.tree(database, old.task_id).total == 2
        assert [row.task_id for row in queries.archived(database, queries.Filter(agent="a"))] == [old.task_id]


def test_keys_and_ids_are_forgotten_with_their_message(store: Store) -> None:
    old = task(key="k")
    store.submit(old)
    store.settle(done(store.claim()[0]))
    tidied(store, MovedClock(LATER))
    with store.backend.transaction():
        (stored,) = store.backend.submit([old], LATER)
    assert not stored.duplicate
    assert store.status(old.task_id) == "queued"  # the newer one of the two
    (lease,) = store.claim(now=LATER)
    store.settle(done(lease), now=LATER)
    tidied(store, MovedClock(LATER + 31 * DAY))
    assert store.look(old.task_id).message.row == lease.row


def test_a_dead_letter_in_the_archive(store: Store) -> None:
    dead = task()
    store.submit(dead)
    (lease,) = store.claim()
    store.settle(ended(lease, "refused", error="no"))
    tidied(store, MovedClock(LATER))
    shown = store.look(dead.task_id)
    assert (shown.archived, [attempt.outcome for attempt in shown.attempts]) == (True, ["refused"])
    with pytest.raises(RefusedError) as caught:
        store.backend.dead([dead.task_id])
    assert "is in the archive" in str(caught.value.problems[0])
