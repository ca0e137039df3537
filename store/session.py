"""The writer's connection, and what the writer remembers of the rows: these change together or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from squad.store.leases import Leases
from squad.store.metrics.journal import Journal

_QUEUED = "SELECT recipient, COUNT(*) FROM tasks WHERE status = 'queued' GROUP BY recipient"
_ADD = "UPDATE totals SET messages = messages + ? WHERE status = ?"


class Tally:
    """How many messages there are of each kind: exact, and never counted anew.

    Whoever changes a row's status says so to ``add``. What was said within a transaction or a savepoint that is undone
    is forgotten with it.
    """

    def __init__(self, counted: Mapping[str, int]) -> None:
        self._counts = dict(counted)
        self._changes: dict[str, int] = {}

    def __getitem__(self, kind: str) -> int:
        """What it is at this point of the transaction."""
        return self._counts.get(kind, 0) + self._changes.get(kind, 0)

    def add(self, kind: str, number: int) -> None:
        self._changes[kind] = self._changes.get(kind, 0) + number

    @property
    def changed(self) -> Mapping[str, int]:
        """By how much the present transaction has changed which."""
        return self._changes

    def counts(self) -> dict[str, int]:
        """All that are not 0."""
        return {kind: self[kind] for kind in self._counts.keys() | self._changes.keys() if self[kind]}

    def commit(self) -> None:
        for kind, number in self._changes.items():
            count = self._counts.get(kind, 0) + number
            if count:
                self._counts[kind] = count
            else:
                self._counts.pop(kind, None)
        self._changes.clear()

    def roll_back(self, to: Mapping[str, int] | None = None) -> None:
        """Forget what was said in this transaction, or since ``changed`` was ``to``."""
        self._changes = dict(to or {})


class Session:
    """``connection`` is in autocommit mode; the Writer begins and ends its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.depths = Tally(dict(connection.execute(_QUEUED)))  # by recipient, delayed messages included
        self.ended = Tally({})  # by status, since this was made
        self.leases = Leases(connection)
        self.metrics = Journal()

    def flush(self) -> None:
        """The transaction is about to be committed."""
        if ended := self.ended.changed:
            self.connection.executemany(_ADD, [(number, status) for status, number in ended.items()])

    def commit(self) -> None:
        """It was."""
        self.depths.commit()
        self.ended.commit()
        self.metrics.commit()

    def roll_back(self) -> None:
        """It was undone."""
        self.depths.roll_back()
        self.ended.roll_back()
        self.metrics.roll_back()
        self.leases.forget_all()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is written inside is undone when an exception escapes; the transaction around it goes on."""
        depths, ended, noted = dict(self.depths.changed), dict(self.ended.changed), self.metrics.mark()
        self.connection.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:  # a full disk may have rolled everything back by itself
                self.connection.execute("ROLLBACK TO inner")
                self.connection.execute("RELEASE inner")
            self.depths.roll_back(depths)
            self.ended.roll_back(ended)
            self.metrics.roll_back(noted)
            self.leases.forget_all()
            raise
        self.connection.execute("RELEASE inner")
