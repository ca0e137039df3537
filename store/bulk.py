"""One statement for many rows, which costs half of what the same rows cost one by one.

Each run of a statement opens the table and all of its indexes, and gives the interpreter's lock away and takes it back;
here this happens once for up to 64 rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain

_MOST = 64  # rows in one statement; more gain nothing

KINDS = 7  # of texts, from 1 row to _MOST


class Bulk:
    """``text`` has ``{rows}`` where the rows go, each written as ``row``; what else it is given comes after them.

    The texts are for 1, 2, 4, … rows, so that there are few of them and the connection keeps all of them compiled.
    """

    def __init__(self, text: str, row: str) -> None:
        self._texts = {1 << n: text.format(rows=", ".join([row] * (1 << n))) for n in range(KINDS)}

    def text(self, rows: int) -> str:
        """The statement for that many rows: 1, 2, 4, …, 64."""
        return self._texts[rows]

    def run(self, connection: sqlite3.Connection, rows: Sequence[Sequence[object]], *others: object) -> int:
        """How many rows it changed, as far as SQLite counts them: for INSERT."""
        start = changed = 0
        while left := len(rows) - start:
            size = min(_MOST, 1 << left.bit_length() - 1)
            values = [*chain.from_iterable(rows[start : start + size]), *others]
            changed += connection.execute(self._texts[size], values).rowcount
            start += size
        return changed
