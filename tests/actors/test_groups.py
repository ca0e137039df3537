from __future__ import annotations

import pytest

from squad.actors.groups import Group, group_of, waits_for
from squad.actors.restarts import RestartBudget
from squad.config.supervision import GroupConfig, SupervisionConfig, circles, problems


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
    assert [made.before(member) for member in "abc"] == predecessors


def test_what_is_waited_for_is_after_and_the_predecessor() -> None:
    groups = [group("rest_for_one"), group("one_for_all", "h", "xy")]
    assert waits_for("y", {"y": ["a"]}, groups) == ["a", "x"]
    assert waits_for("z", {}, groups) == []
    found = group_of("x", groups)
    assert found is not None
    assert found.name == "h"


def test_names_that_do_not_fit_together_are_found() -> None:
    def sentences(after: dict[str, list[str]], **groups: list[str]) -> list[str]:
        rules = SupervisionConfig.model_validate({"groups": {name: {"members": m} for name, m in groups.items()}})
        return problems("abc", after, rules)

    assert sentences({"a": ["b"], "b": ["c"]}, g=["a", "b"]) == []
    assert sentences({"a": ["zed"]}) == ["a starts after 'zed', which is neither an agent nor a convoy"]
    assert sentences({}, g=["x"]) == ["the group g has a member 'x', which is neither an agent nor a convoy"]
    assert sentences({}, g=["a"], h=["a"]) == ["a is in two groups, or twice in one: g and h"]
    assert sentences({"a": ["b"], "b": ["c"], "c": ["a"]}) == [
        "a after b after c after a: a circle, so none could start"
    ]


def test_circles() -> None:
    assert circles({"a": ["b"], "b": []}) == []
    assert circles({"a": ["a"]}) == [["a", "a"]]
    assert circles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []
