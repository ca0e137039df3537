"""Moments as people write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock

import pytest

from squad.cli.moments import parse_moment, parse_since

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T09:30Z", "2026-01-31T09:30:00+00:00"),
        ("2026-01-31T09:30+05:30", "2026-01-31T09:30:00+05:30"),
        ("2026-01-31T09:30", "2026-01-31T09:30:00+01:00"),
        ("2026-07-31 09:30:15", "2026-07-31T09:30:15+02:00"),
        (" 2026-01-31 ", "2026-01-31T00:00:00+01:00"),
        ("2026-03-29T02:30", "2026-03-29T03:30:00+02:00"),  # clocks go from 02:00 to 03:00
        ("2026-10-25T02:30", "2026-10-25T02:30:00+02:00"),  # the first of two
    ],
)
def test_a_moment_without_a_zone_is_one_here(text: str, expected: str) -> None:
    assert parse_moment(text).isoformat() == expected


def test_a_time_of_day_is_one_of_today() -> None:
    def today() -> datetime:
        return datetime.combine(date.today(), clock(9, 30)).astimezone()  # noqa: DTZ011 - with the offset of that time

    before = today()
    assert parse_moment("09:30") in (before, today())  # it may be midnight just now
    assert parse_moment("09:30Z").utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "2026-02-30", "0001-01-01", "\x00", "9" * 400, "-", "2026-01-31T"]
)
def test_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 09:30, 2026-01-31"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("text", "ago"),
    [("10m", 600), ("1h30m", 5400), ("2026-03-01T11:59Z", 60), ("2026-03-01T12:59+01:00", 60), ("2026-03-01", 46_800)],
)
def test_since(text: str, ago: float) -> None:
    assert parse_since(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "what"),
    [("2026-03-01T12:00:01Z", "lies in the future"), ("yesterday", "is neither a duration"), ("-5m", "is neither")],
)
def test_no_since(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_since(text, NOW)
