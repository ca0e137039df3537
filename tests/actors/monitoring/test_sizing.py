from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.monitoring.sizing import MOST, Sizer, ceiling

GB = 10**9
MB = 10**6

bounds = st.tuples(st.integers(1, 120), st.integers(1, 120)).map(sorted)
readings = st.fixed_dictionaries(
    {
        "queued": st.integers(0, 5000),
        "cpu": st.floats(0, 100),
        "memory": st.floats(0, 100),
        "available": st.integers(0, 64 * GB),
        "per_worker": st.integers(0, 4 * GB),
        "cores": st.integers(1, 128),
    }
)


def sizer(minimum: int = 1, maximum: int = 20, grow_after: int = 2, shrink_after: int = 3) -> Sizer:
    return Sizer(minimum, maximum, grow_after, shrink_after, 80.0, 85.0)


def decide(
    of: Sizer, size: int, queued: int, busy: int, *, cpu: float = 10.0, memory: float = 50.0, cores: int = 8
) -> int | None:
    decision = of.decide(size, queued, busy, cpu, memory, 32 * GB, 500 * MB, cores)
    return decision and decision[0]


@pytest.mark.parametrize(
    ("readings", "size"),
    [
        ((5, 20, 64 * GB, 500 * MB, 64), 20),  # the maximum
        ((5, 20, 8 * GB, 500 * MB, 64), 16),  # memory
        ((5, 20, 64 * GB, 500 * MB, 4), 8),  # cores
        ((5, 20, 1 * GB, 500 * MB, 2), 5),  # the minimum, come what may
        ((5, 500, 640 * GB, 500 * MB, 128), 100),  # the most
        ((1, 4, 64 * GB, 0, 8), 4),  # nothing measured
    ],
)
def test_ceiling(readings: tuple[int, int, int, int, int], size: int) -> None:
    assert ceiling(*readings) == size


@given(bounds, st.integers(0, 150), st.lists(st.tuples(readings, st.floats(0, 1)), max_size=60))
def test_any_readings_keep_it_within_its_bounds(
    limits: list[int], size: int, seen: list[tuple[dict[str, float], float]]
) -> None:
    low, high = limits
    of = sizer(low, high)
    for reading, part in seen:
        decision = of.decide(size=size, busy=int(size * part), **reading)  # type: ignore[arg-type]
        if decision is None:
            continue
        new, reason = decision
        most = max(low, min(high, MOST))
        assert low <= new <= most
        assert new != size
        if low <= size <= most and new > size:
            assert new <= 2 * size
            assert reading["memory"] < 85
            assert reading["cpu"] < 80 or new <= reading["cores"]
        assert "CPU" in reason and "memory" in reason and f"{reading['queued']} waiting" in reason
        size = new


@given(readings, st.integers(1, 100), st.floats(0, 1))
def test_steady_readings_settle(reading: dict[str, float], size: int, part: float) -> None:
    """Under readings that do not change it comes to rest, and does not swing."""
    of = sizer(1, 50)
    sizes = []
    for _ in range(400):
        decision = of.decide(size=size, busy=int(size * part), **reading)  # type: ignore[arg-type]
        if decision is not None:
            size = decision[0]
        sizes.append(size)
    assert len(set(sizes[-20:])) == 1


def test_it_grows_only_after_readings_in_a_row() -> None:
    of = sizer()
    assert [decide(of, 2, 1, 2), decide(of, 2, 0, 2), decide(of, 2, 1, 2)] == [None, None, None]
    assert decide(of, 2, 1, 2) == 3


def test_much_waiting_grows_by_more_but_at_most_doubles() -> None:
    of = sizer()
    assert [decide(of, 3, 100, 3), decide(of, 3, 100, 3)] == [None, 6]
    assert [decide(of, 6, 2, 6), decide(of, 6, 2, 6)] == [None, 8]
    assert [decide(of, 12, 99, 12), decide(of, 12, 99, 12)] == [None, 16]  # two a core


def test_idle_workers_come_before_new_ones_and_are_kept_for_what_waits() -> None:
    of = sizer()
    assert [decide(of, 4, 2, 2) for _ in range(10)] == [None] * 10
    assert [decide(of, 4, 3, 2) for _ in range(2)] == [None, 5]
    assert [decide(of, 4, 1, 2) for _ in range(3)] == [None, None, 3]


def test_it_shrinks_one_at_a_time_and_never_below_its_minimum() -> None:
    of, size, sizes = sizer(2), 4, []
    for _ in range(20):
        size = decide(of, size, 0, 0) or size
        sizes.append(size)
    assert sizes[:7] == [4, 4, 3, 3, 3, 2, 2]
    assert sizes[-1] == 2


def test_busy_workers_are_no_reason_to_shrink() -> None:
    of = sizer()
    assert [decide(of, 4, 0, 4) for _ in range(20)] == [None] * 20


def test_its_own_full_cpu_stops_it_at_one_worker_a_core() -> None:
    of = sizer()
    assert [decide(of, 1, 50, 1, cpu=100, cores=2), decide(of, 1, 50, 1, cpu=100, cores=2)] == [None, 2]
    assert [decide(of, 2, 50, 2, cpu=100, cores=2) for _ in range(10)] == [None] * 10
    assert [decide(of, 2, 50, 2, cpu=30, cores=2) for _ in range(2)] == [None, 4]
    assert [decide(of, 4, 50, 4, cpu=100, cores=2) for _ in range(10)] == [None] * 10


def test_memory_over_its_threshold_stops_growth_and_shrinks_at_once() -> None:
    of = sizer(2)
    assert [decide(of, 4, 50, 4, memory=90), decide(of, 3, 50, 3, memory=90)] == [3, 2]
    assert [decide(of, 2, 50, 2, memory=90) for _ in range(5)] == [None] * 5


def test_what_its_workers_hold_counts_as_theirs() -> None:
    """Eight workers of 1 GB with 100 MB free: no more of them, and none taken away."""
    of = sizer()
    assert [of.decide(8, 50, 8, 10.0, 50.0, 100 * MB, GB, 8) for _ in range(5)] == [None] * 5


def test_a_ceiling_that_falls_takes_the_size_with_it() -> None:
    of = sizer(1, 4)
    assert of.decide(9, 0, 9, 10.0, 50.0, 32 * GB, MB, 8) == (
        4,
        "above its ceiling of 4 (8 cores): 0 waiting, 9 of 9 busy, CPU 10 %, memory 50 %",
    )
    assert decide(sizer(3), 1, 0, 0) == 3
