"""The broker's part in an overload: while the machine is, messages are handed out now and then, not all the time."""

from __future__ import annotations


class Brake:
    """``pause`` is in seconds, 0 mostly; moments are monotonic."""

    def __init__(self) -> None:
        self.pause = 0.0
        self._next = 0.0

    def holds(self, now: float) -> float | None:
        """When the next messages are handed out; None: now."""
        return self._next if self.pause and now < self._next <= now + self.pause else None

    def handed_out(self, now: float) -> None:
        self._next = now + self.pause
