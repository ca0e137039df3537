from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from squad.actors.broker.retry import RetryPolicy, exponential

chances = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10_000), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1), chances)
def test_a_delay_is_never_above_the_cap_nor_below_its_jitter(
    step: int, backoff: float, cap: float, jitter: float, chance: float
) -> None:
    full = min(cap, backoff * 2.0 ** min(step, 60))
    delay = exponential(step, backoff, cap, jitter, lambda: chance)
    assert full * (1 - jitter) <= delay <= full <= cap


@given(st.integers(1, 30), chances)
def test_exactly_max_attempts_are_made_and_delays_grow(most: int, chance: float) -> None:
    policy = RetryPolicy(most, 1.0, 300.0, 0.2, lambda: chance)
    delays = [policy.delay(attempts) for attempts in range(1, most + 5)]
    assert delays[most - 1 :] == [None] * 5
    given_back = [delay for delay in delays[: most - 1] if delay is not None]
    assert len(given_back) == most - 1
    assert given_back == sorted(given_back)


def test_by_hand() -> None:
    policy = RetryPolicy(6, 1.0, 5.0, 0.5, lambda: 0.5)
    assert [policy.delay(n) for n in range(7)] == [0.0, 0.75, 1.5, 3.0, 3.75, 3.75, None]


def test_those_at_the_cap_are_still_spread() -> None:
    chances = iter([step / 10 for step in range(10)])
    delays = {exponential(20, 1.0, 60.0, 0.2, lambda: next(chances)) for _ in range(10)}
    assert len(delays) == 10 and max(delays) == 60.0
