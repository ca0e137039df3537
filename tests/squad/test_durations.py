from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.durations import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10),
        (10, 10),
        ("10s", 10),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("2d", 172800),
        (" 5 m ", 300),
    ],
)
def test_durations(text: str | int, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "ten", "10x", "-5s", "s", True, -1, float("nan"), float("inf"), "1e9d", "10 s s"])
def test_what_is_no_duration(text: str | float) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("1MiB", 2**20), ("500MB", 500_000_000), ("1.5kb", 1500), (42, 42), ("7", 7), ("2 GiB", 2**31)]
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1 TB", "1ib", True, -3])
def test_what_is_no_size(text: str | int) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except ValueError as error:
        assert "is not a duration" in str(error)


def test_formats() -> None:
    assert [format_duration(s) for s in (0.045, 1.24, 12, 200, 3600, 5400, 90000)] == [
        "45ms",
        "1.2s",
        "12s",
        "3m 20s",
        "1h",
        "1h 30m",
        "1d 1h",
    ]
    assert [format_size(n) for n in (12, 1500, 2_500_000, 3e9)] == ["12 B", "1.5 kB", "2.5 MB", "3.0 GB"]
