"""When the broker has to do something though nothing arrives. Some of it goes by the wall clock, and some does not.

What waits for a moment is kept in the store and goes by the wall clock: delays, times to live, times for a reply. What
takes a while and is known here alone goes by the monotonic one, so that nothing of it is cut short or drawn out when
the wall clock is set: the grace of a cancel or a freeze, and pauses.
"""

from __future__ import annotations

from squad.clock import Clock

LONGEST_SLEEP = 30.0  # seconds after which a wall clock that was set ahead is noticed


class Agenda:
    """See the module. Of each kind only the next moment is known; None is no moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: float | None = None  # seconds since the epoch
        self._in: float | None = None  # monotonic

    def enter(self, moment: float | None) -> None:
        """Something is due at ``moment``, in seconds since the epoch."""
        if moment is not None and (self._at is None or moment < self._at):
            self._at = moment

    def enter_monotonic(self, moment: float | None) -> None:
        """Likewise at a moment of the monotonic clock."""
        if moment is not None and (self._in is None or moment < self._in):
            self._in = moment

    def enter_all(self) -> None:
        """Look at everything at once."""
        self._at, self._in = self._clock.time(), self._clock.monotonic()

    def due(self, now: float) -> bool:
        """Whether something by the wall clock is due; the caller enters what comes after it."""
        if self._at is None or now < self._at:
            return False
        self._at = None
        return True

    def due_monotonic(self, now: float) -> bool:
        """Likewise by the monotonic clock."""
        if self._in is None or now < self._in:
            return False
        self._in = None
        return True

    def patience(self, further: float | None, longest: float = LONGEST_SLEEP) -> float | None:
        """Seconds until the next of it is due, ``further`` (monotonic) included, and at most ``longest`` while anything
        goes by the wall clock; None: for ever."""
        now = self._clock.monotonic()
        waits = [moment - now for moment in (self._in, further) if moment is not None]
        if self._at is not None:
            waits.append(min(longest, self._at - self._clock.time()))
        return max(0.0, min(waits)) if waits else None
