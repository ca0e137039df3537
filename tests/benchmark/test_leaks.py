from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.benchmark.leaks import judge, line


@given(st.floats(-100, 100), st.floats(-1000, 1000), st.integers(3, 30))
def test_the_line_through_points_that_are_on_one(slope: float, start: float, count: int) -> None:
    found = line([start + slope * number for number in range(count)])
    assert found.slope == pytest.approx(slope, abs=1e-6)
    assert found.error == pytest.approx(0, abs=1e-4)


def test_its_error_is_the_one_of_the_textbook() -> None:
    found = line([1.0, 2.0, 2.0, 4.0])  # the squares of what is left sum to 0.7
    assert found.slope == pytest.approx(0.9)
    assert found.error == pytest.approx((0.7 / 2 / 5) ** 0.5)


def test_a_leak_of_a_hundred_bytes_for_each_message_is_found() -> None:
    chance = random.Random(1)  # noqa: S311
    after = [30 + run * 10_000 * 100 / 1e6 + chance.uniform(-0.1, 0.1) for run in range(10)]
    found = judge(after, 10_000)
    assert found.leaks, found.words
    assert found.slope == pytest.approx(100, rel=0.2)
    assert "a leak: +" in found.words


def test_caches_that_fill_are_none() -> None:
    found = judge([20, 28, 31, 32, 32.1, 32.1, 32.1, 32.1, 32.1, 32.1], 10_000)
    assert not found.leaks
    assert "no leak" in found.words


def test_neither_are_pages_that_are_touched_late() -> None:
    found = judge([12 + 0.03 * run for run in range(10)], 200)
    assert not found.leaks
    assert found.slope == pytest.approx(150)
    assert "only 0.1 MB in all" in found.words


def test_neither_is_chance() -> None:
    found = judge([30, 30, 30, 30, 30, 30, 34, 30, 35, 32], 10_000)
    assert not found.leaks
    assert "chance" in found.words


def test_too_few_runs_say_nothing() -> None:
    found = judge([1.0, 2.0, 3.0], 100)
    assert (found.leaks, found.slope) == (False, None)
    assert "at least 6" in found.words
