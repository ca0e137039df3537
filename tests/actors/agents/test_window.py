from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from squad.actors.agents.window import BUDGET, Window

durations = st.floats(0, 2)


def feed(window: Window, *durations: float, start: float = 0.0) -> tuple[list[int], float]:
    """The sizes it changed to, and the time afterwards."""
    now, changes = start, []
    for duration in durations:
        now += duration
        if window.ended(duration, now):
            changes.append(window.size)
    return changes, now


@given(st.integers(1, 200), st.lists(durations, max_size=300))
def test_size_stays_between_one_and_the_limit_and_says_when_it_changed(limit: int, seen: list[float]) -> None:
    window, now = Window(limit), 0.0
    for duration in seen:
        now += duration
        before = window.size
        assert window.ended(duration, now) == (window.size != before)
        assert 1 <= window.size <= limit
        assert window.size <= 2 * before


@given(st.floats(1e-6, 0.2), st.integers(1, 400))
def test_steady_work_is_held_for_no_longer_than_the_budget(duration: float, count: int) -> None:
    window = Window()
    changes, _ = feed(window, *[duration] * count)
    assert window.size == 1 or window.size * duration <= BUDGET * 1.001
    assert changes == sorted(changes)
    assert len(changes) <= 7


@given(st.lists(durations, min_size=200, max_size=400), st.integers(100, 2000))
def test_it_does_not_chatter(seen: list[float], rate: int) -> None:
    """However durations alternate, one in four endings changes it at most, and far fewer as it goes on."""
    window = Window()
    changes, _ = feed(window, *[duration / rate for duration in seen])
    assert len(changes) <= len(seen) / 4 + 2


def test_the_worst_alternation_grows_rare() -> None:
    window, now, changes = Window(), 0.0, 0
    for _ in range(2000):  # always the worst: a slow one as soon as the window has grown
        duration = 0.06 if window.size > 1 else 0.0001
        now += 0.0001
        changes += window.ended(duration, now)
    assert changes <= 20


def test_quick_handlers_reach_the_limit_within_thirty_endings() -> None:
    window = Window()
    changes, _ = feed(window, *[0.0002] * 30)
    assert changes == [2, 4, 8, 16, 32, 64, 100]


def test_handlers_that_are_not_quick_stay_at_one() -> None:
    window = Window()
    assert feed(window, *[0.011] * 100)[0] == []
    assert window.size == 1


def test_one_slow_handler_among_quick_ones_only_makes_it_smaller() -> None:
    window = Window()
    _, now = feed(window, *[0.0002] * 30)
    changes, now = feed(window, 0.3, start=now)
    assert changes == [18]
    feed(window, *[0.0002] * 200, start=now)
    assert window.size > 90


def test_slow_handlers_end_it_and_growth_is_more_careful_until_calm() -> None:
    window = Window()
    _, now = feed(window, *[0.0002] * 30)
    changes, now = feed(window, *[0.3] * 5, start=now)
    assert changes[-1] == 1
    careful = 0
    while window.size == 1:
        careful += 1
        now += 0.001
        window.ended(0.001, now)
    assert careful >= 8
    _, now = feed(window, *[0.3] * 5, start=now + 0.001)
    assert window.size == 1
    now += 11.0
    feed(window, *[0.0002] * 200, start=now)
    assert window.size > 90


def test_a_slow_first_call_is_soon_forgotten() -> None:
    window = Window()
    feed(window, 5.0, *[0.0005] * 40)
    assert window.size >= 32


def test_slower_work_cuts_the_window_to_the_budget() -> None:
    window = Window()
    feed(window, *[0.0002] * 40)
    changes, _ = feed(window, *[0.005] * 100)
    assert 10 <= window.size <= 20
    assert len(changes) <= 4
