"""Times in the tables: ISO 8601, UTC, milliseconds, ``Z`` at the end, so that text order is time order."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache


def iso(seconds: float) -> str:
    """``2026-01-31T09:30:00.250Z`` from seconds since the epoch. What is under a millisecond is cut off."""
    return _millisecond(int(seconds * 1000 + 1e-3))  # the addend makes up for 0.25 stored as 0.2499999


@lru_cache(maxsize=1024)  # under load many things happen within the same millisecond
def _millisecond(number: int) -> str:
    whole, rest = divmod(number, 1000)
    return f"{_second(whole)}.{rest:03d}Z"


@lru_cache(maxsize=1024)  # likewise
def seconds(moment: str | float) -> float:
    """Seconds since the epoch from what ``iso`` wrote; what is in seconds already stays as it is."""
    return moment if isinstance(moment, float) else datetime.fromisoformat(str(moment)).timestamp()


@lru_cache(maxsize=64)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
