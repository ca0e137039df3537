"""What the broker waits for: by the wall clock, and by the other."""

from __future__ import annotations

import threading

from squad.actors.broker.agenda import LONGEST_SLEEP, Agenda
from squad.testing.clock import ManualClock

NOW = 1_780_000_000.0


def test_the_next_of_each_kind_counts() -> None:
    clock = ManualClock(NOW, threading.Condition())
    agenda = Agenda(clock)
    assert agenda.patience(None) is None
    assert agenda.patience(7.0) == 7
    for moment in (NOW + 20, NOW + 10, None, NOW + 15):
        agenda.enter(moment)
    assert agenda.patience(None) == 10
    for moment in (9.0, 5.0, None, 6.0):
        agenda.enter_monotonic(moment)
    assert (agenda.patience(None), agenda.patience(2.0)) == (5, 2)
    assert not agenda.due(NOW + 9)
    assert not agenda.due_monotonic(4)
    assert agenda.due_monotonic(5)
    assert agenda.due(NOW + 10)
    assert not agenda.due_monotonic(100)
    assert not agenda.due(NOW + 100)  # until something is entered again


def test_a_clock_that_is_set_is_noticed_and_only_where_it_counts() -> None:
    clock = ManualClock(NOW, threading.Condition())
    agenda = Agenda(clock)
    agenda.enter(NOW + 3600)
    assert agenda.patience(None) == LONGEST_SLEEP  # and then it looks
    clock.set_by(3600)
    assert agenda.patience(None) == 0
    assert agenda.due(clock.time())

    agenda.enter_monotonic(50.0)
    for by in (3600, -7200):
        clock.set_by(by)
        assert agenda.patience(None) == 50


def test_after_a_failure_everything_is_due() -> None:
    clock = ManualClock(NOW, threading.Condition())
    agenda = Agenda(clock)
    agenda.enter_all()
    assert agenda.patience(None) == 0
    assert agenda.due(clock.time())
    assert agenda.due_monotonic(clock.monotonic())
