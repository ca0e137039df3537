from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.benchmark.numbers import is_judged, latencies, percentile, unit_of, written
from squad.benchmark.scale import Scale, Size, quick, sizes
from squad.errors import UsageError


def test_percentiles_by_the_nearest_rank() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert [percentile(values, rank) for rank in (0, 1, 50, 99, 100)] == [1, 1, 50, 99, 100]
    assert percentile([3.0], 50) == 3.0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_is_one_of_the_values_and_enough_do_not_exceed_it(values: list[float], rank: float) -> None:
    found = percentile(values, rank)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * rank / 100


def test_units_come_from_names() -> None:
    assert unit_of("half_p99_ms").name == "ms"
    assert unit_of("messages_per_second").more_is_better
    assert unit_of("from_another_version").name == ""
    assert written(12345.6, unit_of("messages_per_second")) == "12,346"
    assert not is_judged("half_sent_per_second")
    assert not is_judged("full_cpu_percent")
    assert is_judged("exchange_per_second")
    assert list(latencies("write", [1.0, 2.0])) == ["write_p50_ms", "write_p95_ms", "write_p99_ms", "write_max_ms"]


class TestSizes:
    def test_the_usual_ones_and_a_larger_one(self) -> None:
        assert sizes([1, 10, 50, 100], None) == (
            Size(1, 100),
            Size(10, 50),
            Size(50, 20),
            Size(100, 10),
            Size(100, 200),
        )
        assert sizes([4], None) == (Size(4, 250), Size(4, 5000))

    def test_as_they_are_given(self) -> None:
        assert sizes([1, 2], [7]) == (Size(1, 7), Size(2, 7))
        assert sizes([1, 2], [7, 8]) == (Size(1, 7), Size(2, 8))
        with pytest.raises(UsageError, match="3 numbers and --agents 2"):
            sizes([1, 2], [7, 8, 9])

    def test_the_most_agents_and_the_small_scale(self) -> None:
        assert Scale().most_agents == 200
        assert quick(Scale(synchronous="NORMAL")).synchronous == "NORMAL"
        assert quick(Scale()).most_agents < 10
