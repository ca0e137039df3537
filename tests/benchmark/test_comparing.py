from __future__ import annotations

import pytest

from squad.benchmark.comparing import compare, differences
from squad.benchmark.numbers import Figures
from tests.benchmark.conftest import document, measured


def change(figure: str, ours: list[float], theirs: list[float]) -> tuple[float | None, str]:
    sides = [
        document(measured("throughput", 4, 100, *({figure: value} for value in values))) for values in (ours, theirs)
    ]
    (found,) = compare(*sides)
    return found.ratio, found.change


def test_better_is_more_of_some_and_less_of_others() -> None:
    assert change("messages_per_second", [200.0], [100.0]) == (2.0, "better")
    assert change("messages_per_second", [50.0], [100.0]) == (0.5, "worse")
    assert change("half_p99_ms", [50.0], [100.0]) == (0.5, "better")
    assert change("half_p99_ms", [200.0], [100.0]) == (2.0, "worse")


@pytest.mark.parametrize("ours", [[96.0], [104.0], [80.0, 120.0, 130.0], [60.0, 70.0, 99.0]])
def test_what_overlaps_or_lies_near_is_the_same(ours: list[float]) -> None:
    assert change("messages_per_second", ours, [100.0])[1] == "same"


def test_what_the_benchmark_itself_did_is_not_judged_and_nothing_is_divided_by_zero() -> None:
    assert change("half_sent_per_second", [200.0], [100.0]) == (2.0, "")
    assert change("queue_depth_p95", [2.0], [0.0]) == (None, "worse")


def test_only_the_same_is_compared() -> None:
    figures: Figures = {"half_p99_ms": 1.0}
    ours = document(measured("a", 1, 1, figures), measured("b", 1, 1, {**figures, "new_ms": 1.0}))
    theirs = document(measured("a", 1, 2, figures), measured("b", 1, 1, figures))
    assert [(found.measurement.name, found.figure) for found in compare(ours, theirs)] == [("b", "half_p99_ms")]


def test_other_settings_are_said() -> None:
    ours, theirs = document(synchronous="FULL", messages=5), document(synchronous="NORMAL", messages=5)
    assert differences(ours, theirs) == ["settings: synchronous was NORMAL there and is FULL here"]
    assert differences(ours, ours) == []
