from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from squad.actors.supervision.restarts import RestartBudget


def budget(intensity: int = 3, period: float = 60.0, jitter: float = 0.0, chance: float = 0.0) -> RestartBudget:
    return RestartBudget(intensity, period, 0.1, 30.0, jitter, lambda: chance)


@given(st.integers(0, 8), st.floats(1, 100), st.lists(st.floats(0, 50), min_size=1, max_size=60))
def test_never_more_than_intensity_restarts_within_the_period(intensity: int, period: float, gaps: list[float]) -> None:
    under = budget(intensity, period)
    now = 1000.0
    crashes: list[float] = []
    for gap in gaps:
        now += gap
        recent = sum(now - at < period for at in crashes)
        delay = under.crashed(now)
        assert (delay is None) == (recent >= intensity)
        crashes.append(now)
        assert under.history == tuple(at for at in crashes if now - at < period)


@given(st.lists(st.floats(0, 40), max_size=40), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_delays_stay_under_the_cap(gaps: list[float], jitter: float, chance: float) -> None:
    under = budget(1000, 60.0, jitter, chance)
    now = 5.0
    for gap in gaps:
        now += gap
        delay = under.crashed(now)
        assert delay is not None and 0.0 <= delay <= 30.0
        now += delay


def test_the_first_restart_is_immediate_and_the_next_ones_wait_longer_and_longer() -> None:
    under = budget(12)
    now, delays = 100.0, []
    for _ in range(12):
        delay = under.crashed(now)
        assert delay is not None
        delays.append(round(delay, 3))
        now += delay
    assert delays == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_jitter_makes_a_delay_shorter() -> None:
    under = budget(jitter=0.5, chance=0.5)
    assert [under.crashed(0.0), under.crashed(0.0)] == [0.0, 0.1 * 0.75]


def test_running_well_for_the_period_starts_the_backoff_over() -> None:
    under = budget(5)
    assert [under.crashed(0.0), under.crashed(1.0), under.crashed(2.0)] == [0.0, 0.1, 0.2]
    assert under.crashed(62.1) == 0.4  # it ran from 2.2 on: not quite a minute
    assert under.crashed(62.5 + 60.0) == 0.0


def test_too_many_is_quarantine_until_reset() -> None:
    under = budget(2)
    assert [under.crashed(float(at)) for at in range(4)] == [0.0, 0.1, None, None]
    assert list(under.history) == [0.0, 1.0, 2.0, 3.0]
    under.reset()
    assert list(under.history) == []
    assert under.crashed(4.0) == 0.0
