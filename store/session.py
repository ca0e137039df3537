"""The writer's connection, and how many messages wait for whom: the two change together or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_QUEUED = "SELECT recipient, COUNT(*) FROM tasks WHERE status = 'queued' GROUP BY recipient"


class Depths:
    """How many messages are queued for each recipient, delayed ones included: exact, and never counted anew.

    Whoever changes a row's status says so to ``add``. What was said within a transaction or a savepoint that is undone
    is forgotten with it.
    """

    def __init__(self, counted: Mapping[str, int]) -> None:
        self._counts = dict(counted)
        self._changes: dict[str, int] = {}

    def __getitem__(self, recipient: str) -> int:
        """What it is at this point of the transaction."""
        return self._counts.get(recipient, 0) + self._changes.get(recipient, 0)

    def add(self, recipient: str, number: int) -> None:
        self._changes[recipient] = self._changes.get(recipient, 0) + number

    @property
    def changed(self) -> Mapping[str, int]:
        """By how much the present transaction has changed whom."""
        return self._changes

    def counts(self) -> dict[str, int]:
        """All that are not 0."""
        return {name: self[name] for name in self._counts.keys() | self._changes.keys() if self[name]}

    def commit(self) -> None:
        for recipient, number in self._changes.items():
            count = self._counts.get(recipient, 0) + number
            if count:
                self._counts[recipient] = count
            else:
                self._counts.pop(recipient, None)
        self._changes.clear()

    def roll_back(self, to: Mapping[str, int] | None = None) -> None:
        """Forget what was said in this transaction, or since ``changed`` was ``to``."""
        self._changes = dict(to or {})


class Session:
    """``connection`` is in autocommit mode; the Writer begins and ends its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.depths = Depths(dict(connection.execute(_QUEUED)))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is written inside is undone when an exception escapes; the transaction around it goes on."""
        before = dict(self.depths.changed)
        self.connection.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:  # a full disk may have rolled everything back by itself
                self.connection.execute("ROLLBACK TO inner")
                self.connection.execute("RELEASE inner")
            self.depths.roll_back(before)
            raise
        self.connection.execute("RELEASE inner")
