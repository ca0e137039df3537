"""What a schedule decides: exactly one run for each planned time, whatever the clock does and whoever dies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.scheduling.planning import MOST_COUNTED, ON_TIME, Decision, Gap, Missed, Planner
from squad.cron import Timetable

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
T0 = 1_800_000_000.0  # a full hour
HOURLY = Timetable("0 * * * *")
NEVER = float("-inf")


def planner(missed: Missed, at_most: float = 7 * DAY, times: Timetable = HOURLY) -> Planner:
    return Planner(times, missed, at_most)


@dataclass
class Squad:
    """A schedule with a clock that a test moves. ``mark`` is the store; ``told`` is memory, which a crash takes."""

    planner: Planner
    now: float
    mark: float
    told: float = NEVER
    runs: list[float] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def wake(self, *, most: int | None = None) -> None:
        """Do what is due; with ``most``, die after so many commits."""
        while most is None or most > 0:
            decision = self.planner.decide(self.mark, self.now, self.told)
            if decision.gap is not None:
                self.gaps.append(decision.gap)
                self.told = decision.gap.last
            assert decision.mark >= self.mark
            if decision.run is None and decision.mark == self.mark:
                return
            if decision.run is not None:
                assert decision.run <= self.now
                assert decision.mark == decision.run
                self.runs.append(decision.run)
            self.mark = decision.mark
            most = None if most is None else most - 1

    def crash(self) -> None:
        self.told = self.mark


class TestOnTime:
    @pytest.mark.parametrize("missed", get_args(Missed))
    def test_before_at_and_after_its_time(self, missed: Missed) -> None:
        plan = planner(missed)
        assert plan.decide(T0 + 1, T0 + HOUR - 0.001, NEVER) == Decision(None, T0 + 1)
        assert plan.decide(T0 + 1, T0 + HOUR, NEVER) == Decision(T0 + HOUR, T0 + HOUR)
        assert plan.decide(T0 + HOUR, T0 + HOUR, NEVER) == Decision(None, T0 + HOUR)

    @pytest.mark.parametrize("missed", get_args(Missed))
    def test_a_restart_of_up_to_a_minute_misses_nothing(self, missed: Missed) -> None:
        squad = Squad(planner(missed, times=Timetable("*/10 * * * * *")), T0 + 55, T0)
        squad.wake()
        assert squad.runs == [T0 + 10, T0 + 20, T0 + 30, T0 + 40, T0 + 50]
        assert squad.gaps == []


class TestAfterAStop:
    """Seven planned times have passed, the last 90 seconds ago."""

    def woken(self, missed: Missed, at_most: float = 7 * DAY) -> Squad:
        squad = Squad(planner(missed, at_most), T0 + 7 * HOUR + 90, T0)
        squad.wake()
        assert squad.mark == T0 + 7 * HOUR
        assert squad.gaps == [Gap(T0 + HOUR, T0 + 7 * HOUR, 7)]
        return squad

    def test_skip_runs_none(self) -> None:
        assert self.woken("skip").runs == []

    def test_once_runs_the_last(self) -> None:
        assert self.woken("once").runs == [T0 + 7 * HOUR]

    def test_all_runs_each_in_order(self) -> None:
        assert self.woken("all").runs == [T0 + n * HOUR for n in range(1, 8)]

    def test_what_is_longer_ago_than_at_most_is_left_out(self) -> None:
        assert self.woken("all", at_most=2 * HOUR).runs == [T0 + 6 * HOUR, T0 + 7 * HOUR]
        assert self.woken("all", at_most=MINUTE).runs == []
        assert self.woken("once", at_most=2 * HOUR).runs == [T0 + 7 * HOUR]
        assert self.woken("once", at_most=MINUTE).runs == []

    def test_one_that_is_due_just_now_is_run_in_any_case(self) -> None:
        runs = {}
        for missed in get_args(Missed):
            squad = Squad(planner(missed), T0 + 3 * HOUR + 30, T0)
            squad.wake()
            runs[missed] = [(run - T0) / HOUR for run in squad.runs]
        assert runs == {"skip": [3], "once": [3], "all": [1, 2, 3]}

    def test_counting_ends_somewhere(self) -> None:
        squad = Squad(planner("once", times=Timetable("* * * * * *")), T0 + 30 * DAY, T0)
        squad.wake()
        assert squad.runs == [T0 + 30 * DAY]
        assert [gap.count for gap in squad.gaps] == [MOST_COUNTED]

    def test_a_gap_is_told_of_once_though_made_up_for_bit_by_bit(self) -> None:
        squad = Squad(planner("all"), T0 + 7 * HOUR + 90, T0)
        for _ in range(10):
            squad.wake(most=1)
        assert len(squad.runs) == 7
        assert len(squad.gaps) == 1
        squad.now += 2 * HOUR + 90
        squad.wake()
        assert squad.gaps[1:] == [Gap(T0 + 8 * HOUR, T0 + 9 * HOUR, 2)]


class TestClock:
    def test_set_back_it_waits_until_the_clock_has_caught_up(self) -> None:
        squad = Squad(planner("all"), T0 + 5 * HOUR, T0 + 4 * HOUR)
        squad.wake()
        for hours in (-3.0, 0.0, 4.99):
            squad.now = T0 + hours * HOUR
            squad.wake()
        assert squad.runs == [T0 + 5 * HOUR]
        squad.now = T0 + 6 * HOUR
        squad.wake()
        assert squad.runs == [T0 + 5 * HOUR, T0 + 6 * HOUR]
        assert squad.gaps == []

    def test_set_forward_what_it_jumped_over_is_missed(self) -> None:
        squad = Squad(planner("once"), T0 + 1, T0)
        squad.wake()
        squad.now += 3 * HOUR
        squad.wake()
        assert squad.runs == [T0 + 3 * HOUR]


LINES = ["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "*/5 * * * * *", "0 0 1 * *"]
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.floats(0, 200) | st.floats(0, 3 * DAY)),
    st.tuples(st.just("set back"), st.floats(0, 2 * HOUR)),
    st.tuples(st.just("die after"), st.integers(0, 3)),
)


@given(
    st.sampled_from(LINES),
    st.sampled_from(get_args(Missed)),
    st.sampled_from([30.0, HOUR, 7 * DAY]),
    st.lists(STEPS, max_size=12),
)
def test_no_planned_time_is_run_twice_whatever_happens(
    line: str, missed: Missed, at_most: float, steps: list[tuple[str, float]]
) -> None:
    times = Timetable(line, "Europe/Berlin")
    squad = Squad(planner(missed, at_most, times), T0, T0)
    highest = T0
    for what, amount in steps:
        if what == "die after":
            squad.wake(most=min(int(amount), 3))
            squad.crash()
        else:
            squad.now += amount if what == "pass" else -amount
            if times.count(squad.mark, squad.now, 3000) >= 3000:
                return  # too many for a test
            squad.wake()
        highest = max(highest, squad.now)
    assert squad.runs == sorted(set(squad.runs))
    assert all(T0 < run <= highest for run in squad.runs)
    assert all(times.after(run - 1) == run for run in squad.runs)


@given(st.sampled_from(LINES[:-1]), st.sampled_from(get_args(Missed)), st.lists(st.floats(0, ON_TIME), max_size=60))
def test_every_planned_time_is_run_as_long_as_nobody_sleeps_longer_than_a_minute(
    line: str, missed: Missed, naps: list[float]
) -> None:
    times = Timetable(line)
    squad = Squad(planner(missed, times=times), T0, T0)
    for nap in naps:
        squad.now += nap
        squad.wake(most=2)
        squad.crash()
        squad.wake()
    assert len(squad.runs) == times.count(T0, squad.now, 10_000)
    assert squad.gaps == []
