from __future__ import annotations

import pytest

from squad.actors.supervision.groups import Group, group_of, waits_for
from squad.actors.supervision.restarts import RestartBudget
from squad.config.supervision import GroupConfig, circles, misfits


def group(strategy: str, name: str = "g", members: str = "abc") -> Group:
    settings = GroupConfig.model_validate({"strategy": strategy, "members": list(members)})
    return Group(name, settings, RestartBudget(3, 60, 0.1, 30, 0, lambda: 0.0))


@pytest.mark.parametrize(
    ("strategy", "restarted", "predecessors"),
    [
        ("one_for_one", [], [None, None, None]),
        ("one_for_all", ["a", "c"], [None, "a", "b"]),
        ("rest_for_one", ["c"], [None, "a", "b"]),
    ],
)
def test_strategies_are_those_of_otp(strategy: str, restarted: list[str], predecessors: list[str | None]) -> None:
    made = group(strategy)
    assert made.with_("b") == restarted
    assert made.with_("b", everybody=True) == ["a", "c"]
    assert [made.settings.before(member) for member in "abc"] == predecessors


def test_what_is_waited_for_is_after_and_the_predecessor() -> None:
    groups = [group("rest_for_one"), group("one_for_all", "h", "xy")]
    assert waits_for("y", ["a"], groups) == ["a", "x"]
    assert waits_for("z", [], groups) == []
    found = group_of("x", groups)
    assert found is not None
    assert found.name == "h"


def test_names_that_do_not_fit_together_are_found() -> None:
    def found(after: dict[str, list[str]], **groups: list[str]) -> list[tuple[tuple[str, str, int], str]]:
        return [(place, what) for place, what, _ in misfits("abc", after, groups)]

    assert found({"a": ["b"], "b": ["c"]}, g=["a", "b"]) == []
    assert found({"a": ["b", "zed"]}) == [(("after", "a", 1), "there is no agent or convoy 'zed'")]
    assert found({}, g=["x"]) == [(("groups", "g", 0), "there is no agent or convoy 'x'")]
    assert found({}, g=["a"], h=["a"]) == [(("groups", "h", 0), "'a' is a member of g already")]
    circle = "a after b after c after a is a circle, so none could start"
    assert found({"a": ["b"], "b": ["c"], "c": ["a"]}) == [(("after", "a", 0), circle)]


def test_circles() -> None:
    assert circles({"a": ["b"], "b": []}) == []
    assert circles({"a": ["a"]}) == [["a", "a"]]
    assert circles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []
