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
        self._now = start
        self._changed = changed
        self._waiting: dict[int, _Waiting] = {}  # by thread

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._start

    def wait(self, event: threading.Event, seconds: float) -> bool:
        mine = _Waiting(event, self._now + seconds)
        with self._changed:
            self._waiting[threading.get_ident()] = mine
            self._changed.notify_all()
            self._changed.wait_for(lambda: mine.over)
        if mine.gone:
            raise _GoneError
        return event.is_set()

    # -- for who moves it -------------------------------------------------------------------------------------------

    def move(self, to: float) -> None:
        self._now = max(self._now, to)

    def waits(self, thread: int | None) -> bool:
        return thread in self._waiting

    def next(self) -> float | None:
        """When the first wait of a thread ends; None when none waits."""
        return min((waiting.until for waiting in self._waiting.values()), default=None)

    def release(self) -> bool:
        """Let one thread go on whose wait is over; False when there is none."""
        over = [
            (waiting.until, thread)
            for thread, waiting in self._waiting.items()
            if waiting.until <= self._now or waiting.event.is_set()
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
