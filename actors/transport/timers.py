"""The wake-ups that an actor has asked for."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterator
from typing import Any


class Timers:
    """Those which are due together come in the order of their times, then of their making. Times are monotonic."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Any, Any]] = []
        self._numbers = itertools.count()

    def add(self, seconds: float, period: Any, payload: Any) -> None:
        """``period`` is what the actor called the time."""
        heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._numbers), period, payload))

    def next_due(self) -> float | None:
        """When the next one is due."""
        return self._heap[0][0] if self._heap else None

    def take_due(self) -> Iterator[tuple[Any, Any]]:
        """(period, payload) of all that are due now; those which are added meanwhile wait for the next call."""
        now = time.monotonic()
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap))
        for _when, _number, period, payload in due:
            yield period, payload

    def __iter__(self) -> Iterator[float]:
        """Seconds until each is due."""
        now = time.monotonic()
        for when, *_rest in sorted(self._heap, key=lambda timer: timer[:2]):
            yield max(0.0, when - now)
