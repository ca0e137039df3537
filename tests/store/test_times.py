"""Times as text."""

from __future__ import annotations

from datetime import datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from squad.store.times import iso

MOMENTS = st.integers(min_value=0, max_value=4_102_444_800_000).map(lambda milliseconds: milliseconds / 1000)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_800_000_000.25, "2027-01-15T08:00:00.250Z"),
        (1_800_000_000.9999, "2027-01-15T08:00:00.999Z"),
        (1_800_000_000.001, "2027-01-15T08:00:00.001Z"),
    ],
)
def test_iso(moment: float, text: str) -> None:
    assert iso(moment) == text


@given(MOMENTS)
def test_there_and_back(moment: float) -> None:
    assert datetime.fromisoformat(iso(moment)).timestamp() == pytest.approx(moment, abs=1e-6)


@given(MOMENTS, MOMENTS)
def test_the_order_of_texts_is_the_order_of_times(one: float, other: float) -> None:
    assert (iso(one) < iso(other)) == (one < other)
