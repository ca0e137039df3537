from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.cli.figures import megabytes, milliseconds, of_unit, per_second, plain
from squad.cli.sparkline import sparkline

VALUES = st.none() | st.floats()


@pytest.mark.parametrize(
    ("values", "width", "top", "line"),
    [
        ((), None, None, ""),
        ((), 3, None, "   "),
        ((0, 0), None, None, "▁▁"),
        ((5, 5, 5), None, None, "███"),
        ((0, 1, 2, 3, 4, 5, 6, 7), None, None, "▁▂▃▄▅▆▇█"),
        ((0.001, 7), None, None, "▂█"),  # a little is more than nothing
        ((1, None, math.nan, 2), None, None, "▅  █"),
        ((-1, 2), None, None, "▁█"),
        ((1, 2, 3), 2, None, "▆█"),
        ((1,), 4, None, "█   "),
        ((50, 200), None, 100.0, "▅█"),
        ((1, 2), 0, None, ""),
    ],
)
def test_sparkline(values: tuple[float | None, ...], width: int | None, top: float | None, line: str) -> None:
    assert sparkline(values, width, top=top) == line


@given(values=st.lists(VALUES, max_size=50), width=st.integers(0, 30), top=st.none() | st.floats(0.1, 1e9))
def test_a_sparkline_is_as_wide_as_it_was_asked_for(values: list[float | None], width: int, top: float | None) -> None:
    assert len(sparkline(values, width, top=top)) == width
    assert set(sparkline(values, top=top)) <= set(" ▁▂▃▄▅▆▇█")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "milliseconds", ""),
        (0.0, "milliseconds", "0.0ms"),
        (0.016, "milliseconds", "16µs"),
        (0.0996, "milliseconds", "0.1ms"),
        (9.96, "milliseconds", "10ms"),
        (999.6, "milliseconds", "1.0s"),
        (12_345, "milliseconds", "12s"),
        (200_000, "milliseconds", "3m"),
        (1.5, "seconds", "1.5s"),
        (41_200_000, "bytes", "41M"),
        (1_230_000_000, "bytes", "1.2G"),
        (0.0, "percent", "0%"),
        (0.00004, "percent", "0.0%"),
        (12.34, "percent of one core", "12.3%"),
        (350.0, "percent of one core", "350%"),
        (7, "workers", "7"),
        (1234567, "messages", "1,234,567"),
        (0.0421, "", "0.0421"),
        (3.14159, "", "3.14"),
        (17.55, "", "17.6"),
        (-0.5, "", "-0.5"),
    ],
)
def test_values_with_their_units(value: float | None, unit: str, text: str) -> None:
    assert of_unit(value, unit) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, ""), (0, "0"), (0.04, "0.0"), (6.34, "6.3"), (9.96, "10"), (152.4, "152"), (12_400, "12.4k")],
)
def test_rates(rate: float | None, text: str) -> None:
    assert per_second(rate) == text


@given(st.floats(0, 8.64e9))
def test_times_are_short(value: float) -> None:
    assert len(milliseconds(value)) <= 5


@given(st.floats(0, 1e13))
def test_sizes_and_numbers_are_written(value: float) -> None:
    assert megabytes(value)[-1] in "MG"
    assert plain(value)
