"""When what was measured is written."""

from __future__ import annotations

import pytest

from squad.actors.broker.measuring import Measuring
from squad.clock import Clock
from squad.config.metrics import MetricsConfig


class Hand(Clock):
    """A clock that is moved by hand, and by writing."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


class Store:
    """In place of the store's metrics: what is asked of it."""

    def __init__(self, clock: Hand) -> None:
        self.enabled, self.pending = True, False
        self.written: list[float] = []
        self.slices = 0  # that are left to fold
        self.takes = 0.0  # seconds
        self._clock = clock

    def add(self, measured: object) -> None:
        self.pending = True

    def write(self, now: float) -> None:
        self._clock.now += self.takes
        self.written.append(now)
        self.pending = False

    def fold(self, now: float, keep: float) -> bool:
        self.slices = max(0, self.slices - 1)
        return self.slices > 0


def made(**settings: object) -> tuple[Hand, Store, Measuring]:
    clock = Hand()
    store = Store(clock)
    return clock, store, Measuring(store, MetricsConfig(**settings), clock)  # type: ignore[arg-type]


def transaction(clock: Hand, measuring: Measuring) -> float | None:
    measuring.turn(clock.now)
    return measuring.over()


def test_what_was_counted_is_written_five_seconds_later() -> None:
    clock, store, measuring = made()
    assert transaction(clock, measuring) is None  # nothing, so nobody is woken
    store.pending = True
    assert transaction(clock, measuring) == 105
    clock.now = 104.9
    assert transaction(clock, measuring) == 105
    clock.now = 105.2
    assert transaction(clock, measuring) is None
    assert store.written == [105.2]


def test_what_is_handed_in_is_written_at_once() -> None:
    clock, store, measuring = made()
    store.pending = True
    measuring.at_once()
    assert transaction(clock, measuring) is None
    assert store.written == [100]


def test_writing_takes_a_small_part_of_the_time() -> None:
    clock, store, measuring = made()
    store.takes = 0.05
    store.pending = True
    measuring.at_once()
    transaction(clock, measuring)
    store.pending = True
    assert transaction(clock, measuring) == pytest.approx(125)
    store.takes = 9.0
    clock.now = 200
    measuring.at_once()
    transaction(clock, measuring)
    store.pending = True
    assert transaction(clock, measuring) == pytest.approx(260)  # at least once a minute


def test_old_points_are_folded_one_transaction_after_the_other() -> None:
    clock, store, measuring = made()
    store.slices, store.pending = 3, True
    measuring.at_once()
    assert transaction(clock, measuring) == 100
    assert transaction(clock, measuring) == 100
    assert transaction(clock, measuring) is None
    assert len(store.written) == 1


def test_what_is_old_goes_also_while_nothing_is_recorded() -> None:
    clock, store, measuring = made(enabled=False)
    assert not store.enabled
    assert transaction(clock, measuring) == 3700
    measuring.configure(MetricsConfig())
    assert store.enabled
