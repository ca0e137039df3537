from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.cli.top.view import ORDERS, View
from tests.cli.top.a_look import crowd, look

KEYS = ["up", "down", "page up", "page down", "home", "end", "s", "S", "f", "h", "x", "escape", *"jkgGb tcmurlw"]


def names(view: View) -> list[str]:
    return [row["name"] for _, row in view.rows(look())]


def test_the_tree_comes_first_and_is_folded() -> None:
    view = View()
    assert [branch for branch, _ in view.rows(look())][-3:] == ["└─ ", "   ├─ ", "   └─ "]
    assert names(view)[-3:] == ["checker", "checker-1", "checker-2"]
    assert view.press("f")
    assert names(view)[-1] == "checker"


@pytest.mark.parametrize(
    ("key", "first"),
    [
        ("u", ["checker", "reporter", "scanner"]),
        ("r", ["scanner", "checker", "reporter"]),
        ("l", ["checker", "scanner", "reporter"]),
        ("w", ["checker", "reporter", "scanner"]),
    ],
)
def test_what_agents_are_sorted_by(key: str, first: list[str]) -> None:
    view = View()
    view.press(key)
    assert names(view) == first


def test_processes_are_sorted_without_convoys() -> None:
    view = View()
    for key in "cm":
        view.press(key)
        assert set(names(view)) == {row["name"] for row in look().snapshot.actors} - {"checker"}
    busy = crowd(9)
    assert [row["name"] for _, row in view.rows(look(busy))][:2] == ["supervisor", "agent-008"]


def test_the_orders_come_round() -> None:
    view = View()
    for order in [*ORDERS[1:], ORDERS[0]]:
        view.press("s")
        assert view.order == order
    view.press("S")
    assert view.order == ORDERS[-1]


def test_it_is_left_with_q_and_help_with_any_key() -> None:
    view = View()
    assert view.press("h")
    assert view.helping
    assert view.press("c")
    assert (view.helping, view.order) == (False, ORDERS[0])
    assert [view.press(key) for key in ("q", "Q", "quit")] == [False] * 3
    view.press("?")
    assert not view.press("q")


def test_scrolling_stays_within_the_rows() -> None:
    view = View()
    assert view.window(50, 10) == range(10)
    for key, first in (
        ("down", 1),
        ("page down", 10),
        ("end", 40),
        ("down", 40),
        ("up", 39),
        ("page up", 30),
        ("g", 0),
        ("k", 0),
    ):
        view.press(key)
        assert view.window(50, 10).start == first
    view.press("G")
    assert view.window(5, 10) == range(5)  # it is larger now, or fewer are left


@given(keys=st.lists(st.sampled_from(KEYS), max_size=40), count=st.integers(0, 200), page=st.integers(1, 60))
def test_the_window_is_full_whatever_is_pressed(keys: list[str], count: int, page: int) -> None:
    view = View()
    for key in keys:
        assert view.press(key)
        shown = view.window(count, page)
        assert 0 <= shown.start <= shown.stop <= count
        assert len(shown) == min(count, page)
