from __future__ import annotations

from squad.actors.broker.cancels import Cancels
from squad.store.rows import Running

ONE, OTHER = Running(1, 4, "a.1", "a"), Running(2, 1, "b.1", "b")


def test_a_worker_is_overdue_some_time_after_its_grace_and_again_later() -> None:
    cancels = Cancels()
    assert not cancels
    assert cancels.next_due is None
    due = cancels.add(ONE, 10.0, now=100.0)
    assert 110.0 < due < 115.0
    assert cancels.add(OTHER, 0.0, now=100.0) == cancels.next_due < due
    assert cancels.overdue(due - 0.1) == {"b.1"}
    assert cancels.overdue(due) == {"a.1"}
    assert cancels.overdue(due) == set()
    assert cancels.next_due is not None
    assert cancels.overdue(due + 60) == {"a.1", "b.1"}


def test_a_second_cancel_gives_no_more_time() -> None:
    cancels = Cancels()
    due = cancels.add(ONE, 10.0, now=100.0)
    assert cancels.add(ONE, 10.0, now=105.0) == due
    again = ONE._replace(fence=5, worker="a.2")  # the earlier lease has ended unseen
    assert cancels.add(again, 10.0, now=105.0) == due + 5
    assert cancels.of("a.2") == [again]
    assert cancels.of("a.1") == []


def test_what_has_ended_is_forgotten() -> None:
    cancels = Cancels()
    cancels.add(ONE, 0.0, now=0.0)
    cancels.add(OTHER, 0.0, now=0.0)
    cancels.ended(ONE.row, ONE.fence - 1)  # a stale outcome
    assert cancels.of("a.1") == [ONE]
    cancels.ended(ONE.row, ONE.fence)
    cancels.ended(ONE.row, ONE.fence)
    cancels.gone("b.1")
    assert not cancels
    assert cancels.overdue(1e9) == set()
