"""Durations and sizes as text that says them exactly, so that what is shown can be loaded again."""

from __future__ import annotations

from squad.durations import parse_duration, parse_size

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))
_SIZES = (("GiB", 2**30), ("GB", 10**9), ("MiB", 2**20), ("MB", 10**6), ("KiB", 2**10), ("kB", 10**3))


def readable_duration(seconds: float) -> str | float:
    """``1h30m``, ``250ms``; the number of seconds itself where milliseconds cannot say it exactly."""
    left = round(seconds * 1000)
    text = ""
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    text = text or "0s"
    return text if parse_duration(text) == seconds else seconds


def readable_size(size: int) -> str | int:
    """``1MiB``, ``500MB``; the number of bytes itself where no unit divides it."""
    for unit, factor in _SIZES:
        text = f"{size // factor}{unit}"
        if size >= factor and size % factor == 0 and parse_size(text) == size:
            return text
    return size
