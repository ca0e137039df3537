"""Tables that are sorted by the column that somebody chose: the order is in the address, and made here.

``?sort=memory`` is ascending, ``?sort=-memory`` descending.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """``key`` is None for what is not known. Of a ``number`` the largest is wanted first, of all else the least."""

    title: str
    key: Callable[[T], Any]
    number: bool = True


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """By the column ``by``, "" for the order in which the rows come; ``asked`` is what the address says, if it does."""

    columns: Mapping[str, Column[T]]
    by: str
    down: bool
    asked: str | None = None

    def sorted(self, rows: Iterable[T]) -> list[T]:
        """What is not known stands last in both directions; rows that are alike stay as they come."""
        rows = list(rows)
        if not self.by:
            return rows
        key = self.columns[self.by].key
        known = sorted((row for row in rows if key(row) is not None), key=key, reverse=self.down)
        return [*known, *(row for row in rows if key(row) is None)]

    def direction(self, name: str) -> str:
        """As ``aria-sort`` has it; "" for a column by which the rows are not sorted."""
        return "" if name != self.by else "descending" if self.down else "ascending"

    def next(self, name: str) -> str:
        """What the address says after a click on this column."""
        down = not self.down if name == self.by else self.columns[name].number
        return f"-{name}" if down else name


def order_of(asked: str | None, columns: Mapping[str, Column[T]], default: str = "") -> Order[T]:
    """The order that the address asks for; ``default`` also when it names no column."""
    named = (asked or "").removeprefix("-") in columns
    chosen = asked if asked and named else default
    return Order(columns, chosen.removeprefix("-"), chosen.startswith("-"), asked if named else None)
