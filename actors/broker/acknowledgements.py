"""Acknowledgements of outcomes that wait for the next delivery to the same worker.

By itself each would be a packet, and would wake a process for nothing else. Nobody misses one for a while: a worker
says an outcome again only after seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

_LATEST = 0.25  # seconds until they are told by themselves

Fate = tuple[int, int, bool]  # row, fence, accepted


class Acknowledgements:
    """Workers have names; times are monotonic."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Fate]] = {}
        self.due: float | None = None  # when the first must be told

    def keep(self, worker: str, fates: Sequence[Fate], now: float) -> None:
        self._kept.setdefault(worker, []).extend(fates)
        if self.due is None:
            self.due = now + _LATEST

    def take(self, worker: str) -> list[Fate]:
        return self._kept.pop(worker, [])

    def overdue(self, now: float) -> list[str]:
        """The workers that must be told now: all that something is kept for, once the first has waited long enough."""
        if self.due is None or now < self.due:
            return []
        self.due = None
        return list(self._kept)
