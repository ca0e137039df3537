"""Tables in the order that the address asks for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from squad.web.sorting import Column, Order, order_of

Row = tuple[str, int | None]
COLUMNS: dict[str, Column[Row]] = {
    "name": Column("name", lambda row: row[0], number=False),
    "size": Column("size", lambda row: row[1]),
}


def order(asked: str | None, default: str = "") -> Order[Row]:
    return order_of(asked, COLUMNS, default)


@given(
    st.lists(st.tuples(st.text("ab", max_size=2), st.none() | st.integers(0, 3))), st.sampled_from(("size", "-size"))
)
def test_what_is_not_known_is_last_and_what_is_alike_stays(rows: list[Row], asked: str) -> None:
    found = order(asked).sorted(rows)
    known = [row[1] for row in found if row[1] is not None]
    assert known == sorted(known, reverse=asked.startswith("-"))
    assert [row[1] for row in found[len(known) :]] == [None] * (len(rows) - len(known))
    for size in (None, 0, 1, 2, 3):
        assert [row for row in found if row[1] == size] == [row for row in rows if row[1] == size]


def test_a_click_sorts_numbers_from_the_largest_on_and_the_next_one_the_other_way() -> None:
    assert [order(None).next(name) for name in COLUMNS] == ["name", "-size"]
    assert [order(asked).next("size") for asked in ("-size", "size", "name")] == ["size", "-size", "-size"]
    assert [order(asked).direction("size") for asked in ("-size", "size", "name")] == ["descending", "ascending", ""]


def test_what_is_no_column_is_the_order_that_there_is_without_it() -> None:
    for asked in (None, "", "-", "--size", "none", "<b>"):
        assert (order(asked, "-size").by, order(asked, "-size").down, order(asked).by) == ("size", True, "")
        assert order(asked, "-size").asked is None
