from __future__ import annotations

import random
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.store.metrics import Histogram
from squad.store.metrics.histogram import HIGHEST, LOWEST, bound

VALUES = st.lists(st.floats(1e-6, 1e15), min_size=1, max_size=60)


def test_a_bucket_holds_what_is_up_to_its_bound() -> None:
    assert (bound(0), bound(8), bound(-16)) == (1, 2, 0.25)
    for place in (-240, -8, 0, 16, 480):
        assert Histogram.of([bound(place)]).buckets == {place: 1}
    for place in (-239, -3, 0, 5, 477):
        assert Histogram.of([bound(place) * 0.999]).buckets == {place: 1}
        assert Histogram.of([bound(place) * 1.001]).buckets == {place + 1: 1}


def test_nothing_negative_and_what_is_beyond_all_bounds() -> None:
    made = Histogram.of([-5.0, 0.0, 1e-12, 1e300])
    assert made.buckets == {LOWEST: 3, HIGHEST: 1}
    assert made.percentile(0.5) == 0
    assert made.percentile(1) == 2.0**60
    assert Histogram().percentile(0.5) is None
    assert Histogram.of([]) == Histogram()
    with pytest.raises(ValueError, match="no part of a whole"):
        made.percentile(95)


@given(VALUES, st.floats(0, 1))
def test_a_percentile_is_off_by_less_than_5_percent(values: list[float], q: float) -> None:
    exact = sorted(values)[max(1, ceil(q * len(values) - 1e-9)) - 1]
    assert Histogram.of(sorted(values)).percentile(q) == pytest.approx(exact, rel=0.045)


@given(VALUES, VALUES)
def test_two_histograms_add_up_to_that_of_all_values(some: list[float], others: list[float]) -> None:
    both = Histogram.of(sorted(some))
    both.add(Histogram.of(sorted(others)))
    assert both == Histogram.of(sorted(some + others))
    assert both.count == len(some) + len(others)


@given(st.lists(st.floats(allow_nan=False), max_size=30))
def test_as_text_and_back(values: list[float]) -> None:
    made = Histogram.of(sorted(values))
    assert Histogram.read(made.text()) == made


def test_how_many_are_at_most_so_much() -> None:
    values = [random.Random(1).uniform(0, 100) for _ in range(500)]  # noqa: S311
    made = Histogram.of(sorted(values))
    for power in (0.5, 1, 2, 8, 64, 128, 1e9):
        assert made.at_most(power) == sum(value <= power for value in values)
