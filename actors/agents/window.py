"""How many messages a worker may hold at once. Pure: the caller gives durations and time in seconds."""

from __future__ import annotations

QUICK = 0.010  # handlers faster than this on average may hold more than one message
BUDGET = 0.050  # the work that a window may hold, so that no message waits long behind others while workers idle
_WEIGHT = 0.05  # of the newest duration in the moving average: about the last forty count
_PATIENCE = 4  # quick endings in a row before the window doubles
_MOST_PATIENCE = 1024
_CALM = 10.0  # seconds without a collapse after which patience starts over


class Window:
    """A credit window, 1 at first, that doubles while handlers prove quick and falls back when they do not.

    It borrows its growth from TCP's slow start. One message at a time costs a round trip to the storage for each; many
    at a time cost fairness: what a busy worker holds, an idle one cannot take. So more than one is held only while
    the moving average of durations is under 10 ms, and never more than about 50 ms of work. One slow handler among
    quick ones does not change that: the worker gives back what waits behind it.

    Each change of ``size`` is a message to the storage, so changes are made rare: it grows only after some quick
    endings in a row, to at most the budget; it is cut to the budget only when it holds twice as much; and each fall to
    1 doubles how many quick endings the next growth needs, until ten calm seconds have passed.
    """

    __slots__ = ("_average", "_collapsed", "_ended", "_limit", "_patience", "_quick", "size")

    def __init__(self, limit: int = 100) -> None:
        self.size = 1
        self._limit = limit
        self._average = 0.0
        self._ended = 0
        self._quick = 0
        self._patience = _PATIENCE
        self._collapsed: float | None = None

    def ended(self, duration: float, now: float) -> bool:
        """A handler ended after ``duration`` seconds. True when ``size`` has changed."""
        # A first slow call (imports, warming up) must not weigh for long, so durations count up to a bound, and the
        # first ones as a plain mean.
        self._ended += 1
        counted = min(duration, BUDGET if self._ended > 1 else QUICK)
        self._average += max(_WEIGHT, 1 / self._ended) * (counted - self._average)
        self._quick = self._quick + 1 if duration < QUICK else 0
        before = self.size
        self.size = self._next(now)
        if self.size != before:
            self._quick = 0
        return self.size != before

    def _next(self, now: float) -> int:
        average = self._average
        if average >= QUICK:
            if self.size > 1:
                self._collapsed = now
                self._patience = min(2 * self._patience, _MOST_PATIENCE)
            return 1
        if self._collapsed is not None and now - self._collapsed >= _CALM:
            self._collapsed = None
            self._patience = _PATIENCE
        most = int(min(self._limit, BUDGET / average)) if average > 0 else self._limit
        if self.size > 2 * most:
            return most
        larger = min(2 * self.size, most)
        # A step of less than half is not worth a message.
        return larger if self._quick >= self._patience and 2 * larger >= 3 * self.size else self.size
