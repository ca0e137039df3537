"""Tokens for what is sent: who gets them, and when."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.agents.sendrate import LONGEST, BeyondBurstError, SendRate
from squad.clock import Clock
from squad.errors import RateLimitError

STOPPED = threading.Event()


class Hand(Clock):
    """A clock that is moved by hand."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


def attempt(rate: SendRate, message: str, sends: int) -> float | None:
    """An attempt of so many sends: None when it succeeds, else after how many seconds it is to come again."""
    taken = 0
    try:
        while taken < sends:
            rate.charge(STOPPED, message, taken)
            taken += 1
    except BeyondBurstError:
        rate.ended(message, taken, again=False)
        raise
    except RateLimitError as error:
        rate.ended(message, taken, again=True)
        return error.retry_after
    rate.ended(message, 0, again=False)
    return None


def test_an_attempt_is_put_off_until_all_its_tokens_are_there(clock: Hand) -> None:
    rate = SendRate(60, 5, wait=False, clock=clock)
    assert attempt(rate, "a", 3) is None
    assert attempt(rate, "b", 5) == pytest.approx(1)  # it knows of three by then
    clock.now += 1
    assert attempt(rate, "b", 5) == pytest.approx(1)
    clock.now += 1
    assert attempt(rate, "b", 5) == pytest.approx(1)
    clock.now += 1
    assert attempt(rate, "b", 5) is None
    assert rate.level() == 0


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 30), st.booleans()), max_size=40))
def test_what_is_sent_keeps_to_the_rate_and_who_waits_as_told_is_served(
    attempts: list[tuple[int, float, bool]],
) -> None:
    """Sends of an attempt, the pause after it, and whether it waits until it has succeeded."""
    clock = Hand()
    rate, sent = SendRate(60, 5, wait=False, clock=clock), 0
    for number, (sends, pause, patient) in enumerate(attempts):
        begun = clock.now
        while (again := attempt(rate, str(number), sends)) is not None and patient:
            clock.now += again + 0.001
            assert clock.now - begun < 2 * LONGEST + 30  # though none of those before it may come
        sent += sends if again is None else 0
        assert sent <= 5 + (clock.now - 100) + 0.01
        clock.now += pause


def test_more_than_the_burst_can_never_be(clock: Hand) -> None:
    rate = SendRate(60, 5, wait=False, clock=clock)
    with pytest.raises(BeyondBurstError, match="allows 5 messages at once, and this handler sends 6 or more"):
        attempt(rate, "a", 9)
    assert rate.level() == 5


def test_small_messages_do_not_starve_a_large_one(clock: Hand) -> None:
    rate = SendRate(60, 5, wait=False, clock=clock)
    attempt(rate, "first", 5)
    due: float = clock.now
    for number in range(20):  # one small message with each new token, before the large one has its turn
        if clock.now >= due and (again := attempt(rate, "large", 3)) is None:
            break
        elif clock.now >= due:
            due = clock.now + again
        attempt(rate, f"small {number}", 1)
        clock.now += 1
    assert clock.now == 103


def test_what_was_promised_to_a_message_that_does_not_come_is_free_again(clock: Hand) -> None:
    rate = SendRate(60, 2, wait=False, clock=clock)
    attempt(rate, "first", 2)
    assert attempt(rate, "gone", 1) == pytest.approx(1)
    clock.now += 2
    assert attempt(rate, "next", 2) is not None
    clock.now += 12
    assert attempt(rate, "other", 2) is None


def test_who_waits_for_one_that_does_not_come_asks_a_few_times(clock: Hand) -> None:
    rate = SendRate(60_000, 2, wait=False, clock=clock)
    attempt(rate, "first", 1)
    assert attempt(rate, "gone", 2) is not None
    tries = 0
    while (again := attempt(rate, "next", 1)) is not None:
        clock.now += again + 0.001
        tries += 1
    assert (5 < tries < 20, clock.now) == (True, pytest.approx(110, abs=0.1))


def test_nobody_is_put_off_for_long_because_of_others(clock: Hand) -> None:
    rate = SendRate(6, 5, wait=False, clock=clock)
    attempt(rate, "first", 5)
    waits = [attempt(rate, f"next {number}", 1) for number in range(9)]
    assert waits == pytest.approx([10, 20, 30, 40, 50, 60, 60, 60, 60])


def test_a_slow_rate_is_waited_for(clock: Hand) -> None:
    rate = SendRate(0.1, 1, wait=False, clock=clock)
    attempt(rate, "first", 1)
    assert attempt(rate, "next", 1) == pytest.approx(600)


def test_a_worker_of_a_convoy_may_owe_what_its_part_of_the_burst_does_not_hold(clock: Hand) -> None:
    rate = SendRate(15, 1.25, whole=5, wait=False, clock=clock)
    assert attempt(rate, "a", 5) is None
    assert attempt(rate, "b", 2) == pytest.approx((1 + 3.75) * 4)  # the mean is kept
    clock.now += 19
    assert attempt(rate, "b", 2) is None
    with pytest.raises(BeyondBurstError, match="allows 5 messages at once"):
        clock.now += 60
        attempt(rate, "c", 6)


def test_a_handler_that_goes_on_without_the_send_leaves_nothing_behind(clock: Hand) -> None:
    rate = SendRate(60, 2, wait=False, clock=clock)
    attempt(rate, "first", 2)
    with pytest.raises(RateLimitError):
        rate.charge(STOPPED, "a", 0)
    rate.ended("a", 0, again=False)
    clock.now += 1
    assert attempt(rate, "b", 1) is None
