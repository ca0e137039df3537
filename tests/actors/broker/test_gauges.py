from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from squad.actors.broker.gauges import Gauges, Mark
from squad.actors.broker.rules import Bound

BOUND = Bound(100, 80)


def looks(depths: Sequence[int], bound: Bound | None = BOUND, start: int = 0) -> list[Mark | None]:
    gauges = Gauges({"a": start}, lambda recipient: bound)
    return [gauges.look("a", depth, bound) for depth in depths]


def test_each_mark_is_said_once_until_the_mailbox_is_well_below() -> None:
    assert looks([79, 80, 90, 79, 80, 61, 85]) == [None, "warning", None, None, None, None, None]
    assert looks([80, 59, 80]) == ["warning", None, "warning"]
    assert looks([90, 100, 99, 100, 76, 100]) == ["warning", "full", None, None, None, None]
    assert looks([100, 74, 100]) == ["full", None, "full"]
    assert looks([100, 0, 0, 100]) == ["full", None, None, "full"]


def test_what_had_passed_before_is_not_said_again() -> None:
    assert looks([90, 100], start=85) == [None, "full"]
    assert looks([100, 10, 80], start=100) == [None, None, "warning"]


def test_without_a_bound_there_is_nothing_to_say() -> None:
    assert looks([1000, 10**9], bound=None) == [None, None]


def test_the_smallest_mailbox() -> None:
    assert looks([1, 0, 1, 2], bound=Bound(1, 1)) == ["full", None, "full", None]


@given(st.lists(st.integers(0, 130), max_size=60))
def test_between_two_warnings_it_was_well_below(depths: list[int]) -> None:
    found = looks(depths)
    for mark, at in (("warning", 80), ("full", 100)):
        said = [index for index, one in enumerate(found) if one == mark]
        for before, after in pairwise(said):
            assert min(depths[before:after]) < 0.75 * at
        first = next((index for index, depth in enumerate(depths) if depth >= at), None)
        if first is not None:
            assert found[first] is not None or any(found[:first])
