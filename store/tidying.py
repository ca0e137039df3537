"""The part of the writer that keeps the file small: what is old leaves, free pages go back, the log goes into the file.

Free pages are given back from the end of the file, into which the pages there are moved first (auto_vacuum =
INCREMENTAL), a few at a time. A checkpoint takes what it finds: it is quick when it comes often.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from squad.store import retention
from squad.store.faults import store_error
from squad.store.retention import Limits, Place, Portion
from squad.store.session import Session


class Pages(NamedTuple):
    """How many pages the database has, and how many of them are free; ``size`` is that of one, bytes."""

    total: int
    free: int
    size: int


def pages(connection: sqlite3.Connection) -> Pages:
    names = ("page_count", "freelist_count", "page_size")
    return Pages(*(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names))


class Tidying:
    """See the module. What SQLite cannot do raises StoreError, where no transaction is open that says so."""

    def __init__(self, session: Session, path: Path) -> None:
        self._session = session
        self._connection = session.connection
        self._path = path

    def retire(self, step: str, after: Place, limits: Limits, rows: int) -> Portion:
        """The next ``rows`` rows of a step of ``squad.store.retention``. Only inside ``transaction()``."""
        self._must_be_open()
        return retention.portion(self._session, step, after, limits, rows)

    def give_back(self, number: int) -> None:
        """That many free pages to the file system. Only inside ``transaction()``."""
        self._must_be_open()
        # A page for each row that is asked for.
        self._connection.execute(f"PRAGMA incremental_vacuum({number})").fetchall()

    def pages(self) -> Pages:
        return pages(self._connection)

    def checkpoint(self, *, truncate: bool = False) -> bool:
        """Move what is in the log to the database; whether all of it could be. Outside transactions.

        With ``truncate`` the log is empty afterwards, unless somebody reads; it never waits for a reader.
        """
        with self._outside():
            patience = self._connection.execute("PRAGMA busy_timeout").fetchone()[0]
            self._connection.execute("PRAGMA busy_timeout = 0")
            try:
                mode = "TRUNCATE" if truncate else "PASSIVE"
                busy, log, moved = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {patience}")
        return not busy and log == moved

    def rebuild(self) -> None:
        """Write the whole file anew, without gaps, which takes long and twice as much room. Outside transactions."""
        with self._outside():
            self._connection.execute("PRAGMA temp_store = FILE")  # not the whole of it in memory
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA temp_store = MEMORY")

    @contextlib.contextmanager
    def _outside(self) -> Iterator[None]:
        if self._connection.in_transaction:
            raise RuntimeError("not inside a transaction")
        try:
            yield
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error

    def _must_be_open(self) -> None:
        if not self._connection.in_transaction:
            raise RuntimeError("only inside transaction()")
