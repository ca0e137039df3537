from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.moments import PAST, parse_coming, parse_moment


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-01-31T09:30:00+01:00", 1769848200.0),
        ("2026-01-31T08:30Z", 1769848200.0),
        (" 2026-01-31 08:30:00.250+00:00 ", 1769848200.25),
        (1769848200, 1769848200.0),
        (0.5, 0.5),
        (datetime(2026, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=1))), 1769848200.0),
    ],
)
def test_times(value: Any, seconds: float) -> None:
    assert parse_moment(value) == seconds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("tomorrow", "'tomorrow' is no time: write for example 2026-01-31T09:30:00+01:00"),
        ("2026-01-31T08:30:00", "'2026-01-31T08:30:00' has no time zone: write Z for UTC"),
        ("2026-01-31", "'2026-01-31' has no time zone"),
        (datetime(2026, 1, 31), "'2026-01-31 00:00:00' has no time zone"),  # noqa: DTZ001
        (True, "True is no time"),
        (None, "None is no time"),
        (-1, "'-1' is no time: it must lie between the years 1970 and 9999"),
        (1e300, "is no time: it must lie between"),
        (float("nan"), "'nan' is no time"),
        (10**400, "is no time: it must lie between"),
        ("0001-01-01T00:00:00+01:00", "is no time: it must lie between"),
    ],
)
def test_what_is_no_time(value: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_moment(value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_time_that_has_passed() -> None:
    now = 1769848200.0
    assert parse_coming(now + 1, now) == now + 1
    assert parse_coming(now - PAST, now) == now - PAST
    with pytest.raises(ValueError, match=r"'2026-01-31T08:29:00Z' has passed already"):
        parse_coming("2026-01-31T08:29:00Z", now)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-14, 14))  # noqa: DTZ001
def test_what_a_datetime_says_of_itself_is_read(moment: datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert parse_moment(aware.isoformat()) == parse_moment(aware) == aware.astimezone(UTC).timestamp()
