from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.bucket import TokenBucket

rates = st.floats(0.1, 1e6)
bursts = st.floats(1, 1e5)
starts = st.floats(0, 1e7)
pauses = st.lists(st.floats(0, 120), min_size=1, max_size=60)


@given(rates, bursts, starts, pauses)
def test_it_never_gives_more_than_burst_and_rate_allow(
    rate: float, burst: float, start: float, waits: list[float]
) -> None:
    bucket = TokenBucket(rate, burst, now=start)
    now, taken = start, 0
    for wait in waits:
        now += wait
        while taken < 2000 and bucket.take(now) == 0.0:
            taken += 1
        allowed = burst + rate * (now - start) / 60
        assert taken <= allowed * (1 + 1e-9) + 0.01


@given(rates, bursts, starts, st.integers(1, 50), st.floats(0, 1))
def test_whoever_waits_as_long_as_told_is_given(rate: float, burst: float, start: float, n: int, part: float) -> None:
    bucket = TokenBucket(rate, burst, burst * part, now=start)
    now = start
    for _ in range(20):
        wait = bucket.take(now, n)
        assert wait >= 0
        if wait:
            now += wait
            assert bucket.take(now, n) == 0.0


@given(rates, bursts, st.integers(1, 5))
def test_a_refusal_takes_nothing(rate: float, burst: float, tries: int) -> None:
    bucket = TokenBucket(rate, burst, 0.0, now=100.0)
    waits = {bucket.take(100.0) for _ in range(tries)}
    assert len(waits) == 1 and waits.pop() == pytest.approx(60 / rate)


def test_by_hand() -> None:
    bucket = TokenBucket(60, 2, now=0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert bucket.level(0.5) == pytest.approx(0.5)
    assert bucket.take(0.5) == pytest.approx(0.5)
    assert bucket.take(1.0) == 0.0
    assert bucket.level(1000.0) == 2


def test_what_was_taken_in_vain_is_put_back() -> None:
    bucket = TokenBucket(60, 10, now=0.0)
    bucket.take(0.0, 8)
    bucket.give_back(1.0, 5)
    assert bucket.level(1.0) == pytest.approx(8)
    bucket.give_back(1.0, 5)
    assert bucket.level(1.0) == 10


def test_a_floor_is_left_or_owed() -> None:
    bucket = TokenBucket(60, 10, 3.0, now=0.0)
    assert bucket.take(0.0, floor=4) == pytest.approx(2)
    assert bucket.take(0.0, floor=2) == 0.0
    assert bucket.take(0.0, 3, floor=-1) == 0.0
    assert bucket.take(0.0) == pytest.approx(2)


def test_more_than_the_burst_is_given_when_full_and_then_owed() -> None:
    bucket = TokenBucket(60, 10, 9.0, now=0.0)
    assert bucket.take(0.0, 30) == pytest.approx(1.0)
    assert bucket.take(1.0, 30) == 0.0
    assert bucket.level(1.0) == 0.0
    assert bucket.take(1.0) == pytest.approx(21.0)
    assert bucket.take(22.0) == 0.0


def test_a_clock_that_steps_back_gives_nothing_and_takes_nothing() -> None:
    bucket = TokenBucket(60, 5, 1.0, now=100.0)
    assert bucket.level(40.0) == 1.0
    assert bucket.level(100.0) == 1.0
    assert bucket.level(101.0) == 2.0


def test_a_new_rate_counts_from_now_on() -> None:
    bucket = TokenBucket(60, 10, 0.0, now=0.0)
    bucket.set_rate(600, 4, now=2.0)
    assert bucket.level(2.0) == pytest.approx(2.0)
    assert bucket.level(2.1) == pytest.approx(3.0)
    assert bucket.level(60.0) == 4
    bucket.set_rate(600, 2, now=60.0)
    assert bucket.level(60.0) == 2


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0.5), (1, float("nan"))])
def test_a_rate_that_never_gives_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="a bucket needs"):
        TokenBucket(rate, burst, now=0.0)
    bucket = TokenBucket(1, 1, now=0.0)
    with pytest.raises(ValueError, match="a bucket needs"):
        bucket.set_rate(rate, burst, 0.0)
