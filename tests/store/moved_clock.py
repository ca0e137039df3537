"""A clock that stands still until the test moves it, for what needs no threads."""

from __future__ import annotations

from squad.clock import Clock


class MovedClock(Clock):
    def __init__(self, start: float) -> None:
        self._now = start
        self._set_by = 0.0

    def time(self) -> float:
        return self._now + self._set_by

    def monotonic(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def set_by(self, seconds: float) -> None:
        """Only the wall clock."""
        self._set_by += seconds
