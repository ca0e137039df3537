from __future__ import annotations

from typing import Any

import pytest

from squad.metrics import CATALOGUE, MOST_OWN, Own


@pytest.mark.parametrize(
    ("name", "value", "kind", "said"),
    [
        ("Tokens", 1, "counter", "no name for a metric: lower-case"),
        ("1st", 1, "counter", "no name"),
        ("a-b", 1, "counter", "no name"),
        ("x" * 65, 1, "counter", "no name"),
        ("", 1, "counter", "no name"),
        (None, 1, "counter", "no name"),
        ("queue_depth", 1, "gauge", "a metric of Squad's own: choose another name"),
        ("tokens", 1, "summary", "'summary' is no kind of metric: counter, gauge, histogram"),
        ("tokens", "12", "counter", "is a number, and '12' is none"),
        ("tokens", True, "counter", "is a number"),
        ("tokens", float("nan"), "histogram", "'tokens' is nan: it must be finite"),
        ("tokens", 10**400, "gauge", "must be finite"),
        ("tokens", -1, "counter", "only grows: -1 is negative"),
    ],
)
def test_what_is_wrong_is_said(name: Any, value: Any, kind: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Own().check(name, value, kind)


def test_what_is_right() -> None:
    own = Own()
    assert own.check("tokens_2", 3, "counter") == 3.0
    assert own.check("balance", -2.5, "gauge") == -2.5
    assert own.check("x" * 64, 0, "histogram") == 0


def test_a_name_has_one_kind() -> None:
    own = Own()
    own.check("tokens", 1, "counter")
    with pytest.raises(ValueError, match="is a counter, and cannot be a gauge as well"):
        own.check("tokens", 1, "gauge")


def test_names_are_bounded() -> None:
    own = Own()
    for number in range(MOST_OWN):
        own.check(f"m_{number}", 1, "counter")
    own.check("m_0", 1, "counter")
    with pytest.raises(ValueError, match="at most 100 metrics of its own; what varies"):
        own.check("one_more", 1, "counter")


def test_the_names_of_the_catalogue_would_do() -> None:
    for name in CATALOGUE:
        Own().check(f"my_{name}", 1, "gauge")
