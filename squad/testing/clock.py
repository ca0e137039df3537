"""A clock that stands still until the test moves it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from squad.clock import Clock


class _GoneError(BaseException):
    """Ends a handler whose process is thought to have been killed. Nothing that a handler catches."""


@dataclass(slots=True)
class _Waiting:
    event: threading.Event
    until: float
    over: bool = False
    gone: bool = False


class ManualClock(Clock):
    """Begins at ``start``, seconds since the epoch. A thread that waits by it sleeps until ``release`` lets it go on.

    ``changed`` guards what the threads share, and is notified when one begins to wait.
    """

    def __init__(self, start: float, changed: threading.Condition) -> None:
        self._start = start
        self._set_by = 0.0
        self.now = start  # what it would say if nobody had set it
        self._changed = changed
        self._waiting: dict[int, _Waiting] = {}  # by thread

    def time(self) -> float:
        return self.now + self._set_by

    def monotonic(self) -> float:
        return self.now - self._start

    def wait(self, event: threading.Event, seconds: float) -> bool:
        mine = _Waiting(event, self.now + seconds)
        with self._changed:
            self._waiting[threading.get_ident()] = mine
            self._changed.notify_all()
            self._changed.wait_for(lambda: mine.over)
        if mine.gone:
            raise _GoneError
        return event.is_set()

    # -- for who moves it -------------------------------------------------------------------------------------------

    def move(self, to: float) -> None:
        """Let time pass until ``now`` is ``to``."""
        self.now = max(self.now, to)

    def set_by(self, seconds: float) -> None:
        """Set the wall clock so much ahead, or back. No time passes."""
        self._set_by += seconds

    def waits(self, thread: int | None) -> bool:
        return thread in self._waiting

    def next(self) -> float | None:
        """What ``now`` is when the first wait of a thread ends; None when none waits."""
        return min((waiting.until for waiting in self._waiting.values()), default=None)

    def release(self) -> bool:
        """Let one thread go on whose wait is over; False when there is none."""
        over = [
            (waiting.until, thread)
            for thread, waiting in self._waiting.items()
            if waiting.until <= self.now or waiting.event.is_set()
        ]
        if not over:
            return False
        self._end(min(over)[1], gone=False)
        return True

    def abandon(self, thread: int | None) -> None:
        """End the handler that waits on ``thread``, if one does."""
        if thread is not None and thread in self._waiting:
            self._end(thread, gone=True)

    def _end(self, thread: int, *, gone: bool) -> None:
        with self._changed:
            waiting = self._waiting.pop(thread)
            waiting.over, waiting.gone = True, gone
            self._changed.notify_all()
