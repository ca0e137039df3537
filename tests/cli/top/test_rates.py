from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.cli.top.rates import KEPT, Rates


def test_a_rate_is_the_mean_of_ten_seconds() -> None:
    rates = Rates()
    assert (rates.total(), rates.of("a"), rates.line()) == (0.0, 0.0, [])
    for _ in range(20):
        rates = rates.after(1.0, 100, {"a": 40, "b": 60}, 1.0)
    for _ in range(5):
        rates = rates.after(1.0, 0, {}, 1.0)
    assert (rates.total(), rates.of("a"), rates.of("c")) == (50.0, 20.0, 0.0)
    assert rates.line()[-6:] == [100.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert rates.line("b", 6)[:1] == [60.0]


def test_the_first_look_is_of_ten_seconds_itself() -> None:
    assert Rates().after(10.0, 50, {"a": 50}, 10.0).of("a") == 5.0


def test_where_more_ended_than_was_read_the_newest_speak_for_the_rest() -> None:
    rates = Rates().after(1.0, 5000, {"a": 4000}, 0.25)
    assert (rates.total(), rates.of("a")) == (20_000.0, 16_000.0)


def test_a_clock_that_was_set_back_adds_nothing() -> None:
    assert Rates().after(-5.0, 3, {"a": 3}, 1.0) == Rates()


@given(st.lists(st.tuples(st.floats(0.01, 60), st.integers(0, 5000)), max_size=300))
def test_no_rate_is_above_the_highest_look(looks: list[tuple[float, int]]) -> None:
    rates = Rates()
    for seconds, count in looks:
        rates = rates.after(seconds, count, {"a": count}, seconds)
    highest = max((count / seconds for seconds, count in looks), default=0.0)
    assert 0 <= rates.total() <= highest * 1.000001
    assert rates.of("a") == pytest.approx(rates.total())
    assert len(rates.line()) == min(len(looks), KEPT)
