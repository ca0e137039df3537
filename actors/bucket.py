"""A token bucket: how often something may happen, with a burst.

Pure: no clock of its own. Times are seconds of one monotonic clock, given by the caller.
"""

from __future__ import annotations

# A caller that waits exactly as long as it was told must then succeed, whatever floating point does to clock and
# rate. What is lent so is owed at once: the level goes below zero by it, so it never adds up.
_TOLERANCE = 1e-4


class TokenBucket:
    """The token bucket of Turner's "New directions in communications" (IEEE Communications Magazine, 1986).

    It holds up to ``burst`` tokens and gains ``per_minute`` of them a minute, evenly. In any ``t`` seconds at most
    ``burst + per_minute * t / 60`` are taken.

    Its weaknesses, to know before relying on it:

    - It starts full (unless given a ``level``), so the first minute may see ``per_minute + burst``; so may a minute
      after a pause. A limit of a provider that counts by calendar minute can be passed by that much.
    - It is not fair: who asks first when a token is there gets it. Callers that wait must queue by themselves.
    - More tokens at once than ``burst`` are given when the bucket is full, and are then owed: nothing else is given
      until the debt is paid. So the mean rate is kept and the burst is not.
    - It knows one process. Several that share a rate each get a bucket with their part of it.
    - A clock that steps back is ignored: nothing is gained until it has caught up.
    """

    __slots__ = ("_at", "_level", "burst", "per_minute")

    def __init__(self, per_minute: float, burst: float, level: float | None = None, *, now: float) -> None:
        """A bucket with ``level`` tokens in it, full when None. Raises ValueError for a rate that never gives one."""
        self.per_minute, self.burst = _checked(per_minute, burst)
        self._level = burst if level is None else min(level, burst)
        self._at = now

    def take(self, now: float, n: float = 1, *, floor: float = 0.0) -> float:
        """Take ``n`` tokens and return 0.0; or take none and return the seconds until they will be there.

        ``floor`` is the level that must be left: more than zero for what others are to find, less for what may be owed.
        """
        self._refill(now)
        missing = min(n, self.burst) + floor - self._level
        if missing <= _TOLERANCE:
            self._level -= n
            return 0.0
        return missing * 60.0 / self.per_minute

    def give_back(self, now: float, n: float) -> None:
        """Put back ``n`` tokens that were taken in vain. Those above ``burst`` are lost: it would have been full."""
        self._refill(now)
        self._level = min(self.burst, self._level + n)

    def level(self, now: float) -> float:
        """Tokens in the bucket; 0.0 while it is in debt."""
        self._refill(now)
        return max(0.0, self._level)

    def set_rate(self, per_minute: float, burst: float, now: float) -> None:
        """Change the rate from ``now`` on. Tokens above the new ``burst`` are lost."""
        self._refill(now)
        self.per_minute, self.burst = _checked(per_minute, burst)
        self._level = min(self._level, burst)

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self.burst, self._level + (now - self._at) * self.per_minute / 60.0)
            self._at = now


def _checked(per_minute: float, burst: float) -> tuple[float, float]:
    if not per_minute > 0:
        raise ValueError(f"a bucket needs a rate above zero, not {per_minute} a minute")
    if not burst >= 1:
        raise ValueError(f"a bucket needs room for one token at least, not {burst}")
    return per_minute, burst
