"""Points in time as people write them: ISO 8601 with its zone, or seconds since the epoch."""

from __future__ import annotations

from datetime import datetime

PAST = 10.0  # seconds that a time may lie back: clocks differ, and a request may have to be repeated
_SHOWN = 60  # characters of what is no time, in an error
_LATEST = 253402300800.0  # the year 10000: ISO 8601 has no more digits


def parse_moment(value: str | float | datetime) -> float:
    """Seconds since the epoch from ``"2026-01-31T09:30:00+01:00"``, ``"2026-01-31T08:30Z"``, an aware ``datetime`` or a
    number that is that already. Raises ValueError saying what is wrong.

    A time without a zone is refused: it would mean something else on another machine.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | datetime):
        raise ValueError(f"{repr(value)[:_SHOWN]} is no time: {_FORM}")
    if isinstance(value, int | float):
        return _within(value, value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"{value[:_SHOWN]!r} is no time: {_FORM}") from None
    else:
        moment = value
    if moment.tzinfo is None:
        raise ValueError(f"{str(value)!r} has no time zone: write Z for UTC, or an offset such as +01:00, after it")
    return _within(moment.timestamp(), value)


def parse_coming(value: str | float | datetime, now: float) -> float:
    """The same for a time that must not have passed (by more than 10 s). Raises ValueError."""
    seconds = parse_moment(value)
    if seconds < now - PAST:
        raise ValueError(f"{str(value)!r} has passed already")
    return seconds


def _within(seconds: float, value: object) -> float:
    if not 0 <= seconds < _LATEST:
        raise ValueError(f"{str(value)[:_SHOWN]!r} is no time: it must lie between the years 1970 and 9999")
    return float(seconds)


_FORM = "write for example 2026-01-31T09:30:00+01:00, 2026-01-31T08:30:00Z, or seconds since the epoch"
