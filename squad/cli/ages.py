"""Times for people: how long ago, from the ISO 8601 texts that the store and the gateway give."""

from __future__ import annotations

from datetime import UTC, datetime

from squad.durations import format_duration


def seconds_since(iso: str | None) -> float | None:
    """Seconds from then until now, never negative; None when there is no time or it cannot be read."""
    if not iso:
        return None
    try:
        then = datetime.fromisoformat(iso)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - then).total_seconds())


def short(seconds: float | None) -> str:
    """The largest unit alone: ``12s``, ``3m``, ``2d``; "" for None."""
    if seconds is None:
        return ""
    return format_duration(max(1.0, round(seconds))).partition(" ")[0].replace(".0s", "s")


def ago(iso: str | None) -> str:
    """``3m``: how long ago that was, in its largest unit; "" when unknown."""
    return short(seconds_since(iso))
