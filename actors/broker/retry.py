"""When a failed attempt is made again, and when no more are made. Pure but for chance, which can be given."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

_DOUBLINGS = 60  # more than any cap allows, and far from a float's overflow


def exponential(step: int, backoff: float, cap: float, jitter: float, random: Callable[[], float]) -> float:
    """Seconds to wait: ``backoff`` doubled ``step`` times, at most ``cap``, then made shorter by chance.

    Things that fail together (a service is down, a machine was suspended) would otherwise all come back together, and
    again at each step. So each takes off a random part of its own delay: the result lies evenly between
    ``(1 - jitter) * delay`` and ``delay``. Taking off, and not adding, keeps ``cap`` a true bound and still spreads
    those who have all reached it. ``jitter`` 0 is none; 1 is the "full jitter" of Brooker's "Exponential Backoff And
    Jitter" (AWS Architecture Blog, 2015), which spreads best but may also retry at once.

    ``random`` gives floats from 0.0 up to, not including, 1.0.
    """
    delay = min(cap, backoff * 2.0 ** min(step, _DOUBLINGS))
    return delay * (1.0 - jitter * random())


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a message is tried: ``max_attempts`` in all, ``backoff`` and ``cap`` in seconds, ``jitter`` 0 to 1."""

    max_attempts: int
    backoff: float
    cap: float
    jitter: float
    random: Callable[[], float] = random.random

    def delay(self, attempts: int) -> float | None:
        """Seconds until the next attempt when ``attempts`` have been charged; None: a dead letter."""
        if attempts >= self.max_attempts:
            return None
        if attempts < 1:  # nothing was charged, so there is nothing to wait for
            return 0.0
        return exponential(attempts - 1, self.backoff, self.cap, self.jitter, self.random)
