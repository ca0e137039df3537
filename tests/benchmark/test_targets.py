from __future__ import annotations

import pytest

from squad.benchmark.targets import TARGETS, Target, Verdict, judge
from tests.benchmark.conftest import document, measured


def verdict(what: str, *measurements: object) -> tuple[float | None, Verdict]:
    (found,) = [found for found in judge(document(*measurements)) if found.target.what == what]  # type: ignore[arg-type]
    return found.value, found.verdict


@pytest.mark.parametrize(
    ("value", "expected"), [(5, "met"), (20, "met"), (21, "acceptable"), (50, "acceptable"), (50.1, "missed")]
)
def test_less_is_better(value: float, expected: str) -> None:
    assert Target("a", "b", "c_ms", 20, 50).judge(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(500, "met"), (499, "acceptable"), (200, "acceptable"), (199, "missed")]
)
def test_more_is_better(value: float, expected: str) -> None:
    assert Target("a", "b", "c_per_second", 500, 200).judge(value) == expected


def test_without_an_acceptable_value_it_is_met_or_missed() -> None:
    assert [Target("a", "b", "c_ms", 20).judge(value) for value in (20, 20.1)] == ["met", "missed"]


def test_what_was_not_measured_is_said() -> None:
    assert {found.verdict for found in judge(document())} == {Verdict.NOT_MEASURED}
    assert verdict("list of 100 work items") == (None, Verdict.NOT_MEASURED)


def test_a_target_holds_for_its_number_of_agents() -> None:
    assert verdict("200 agents ready", measured("many", 8, 1, {"ready_seconds": 1.0})) == (None, "not measured")
    assert verdict("200 agents ready", measured("many", 200, 1, {"ready_seconds": 1.0})) == (1.0, "met")


def test_the_largest_size_counts_and_the_median_of_its_runs() -> None:
    few = measured("sizes", 100, 10, {"write_p99_ms": 1.0})
    more = measured("sizes", 100, 200, {"write_p99_ms": 30.0}, {"write_p99_ms": 40.0}, {"write_p99_ms": 90.0})
    assert verdict("message write, p99", more, few) == (40.0, "acceptable")
    (found,) = [found for found in judge(document(more)) if found.target.what == "message write, p99"]
    assert (found.lowest, found.highest) == (30.0, 90.0)


def test_every_target_has_a_name_of_its_own_and_can_be_judged() -> None:
    assert len({target.what for target in TARGETS}) == len(TARGETS)
    for target in TARGETS:
        assert target.unit.name
        assert target.judge(target.target) == "met"
        assert target.judge(target.limit) != "missed"
