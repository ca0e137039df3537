"""The writer's connection, and what the writer remembers of the rows: these change together or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

from squad.store.leases import Leases
from squad.store.metrics.journal import Journal

Kind = TypeVar("Kind", bound=Hashable)

Place = tuple[str, int, bool]
"""Where a message waits: whose queue, which priority, and whether it is delayed."""

_DEPTHS = "SELECT recipient, SUM(messages) FROM queued GROUP BY recipient HAVING SUM(messages) != 0"
_QUEUE = """
    INSERT INTO queued (recipient, priority, delayed, messages) VALUES (?, ?, ?, ?)
    ON CONFLICT (recipient, priority, delayed) DO UPDATE SET messages = messages + excluded.messages
"""
_END = "UPDATE totals SET messages = messages + ? WHERE status = ?"


class Changes(Generic[Kind]):
    """By how much the present transaction has changed how many messages there are of each kind.

    Whoever changes a row says so to ``add``. What was said within a transaction or a savepoint that is undone is
    forgotten with it.
    """

    def __init__(self) -> None:
        self._changes: dict[Kind, int] = {}

    def add(self, kind: Kind, number: int) -> None:
        self._changes[kind] = self._changes.get(kind, 0) + number

    @property
    def changed(self) -> Mapping[Kind, int]:
        return self._changes

    def commit(self) -> None:
        self._changes.clear()

    def roll_back(self, to: Mapping[Kind, int] | None = None) -> None:
        """Forget what was said in this transaction, or since ``changed`` was ``to``."""
        self._changes = dict(to or {})


class Tally(Changes[Kind]):
    """How many messages there are of each kind: exact, and never counted anew."""

    def __init__(self, counted: Mapping[Kind, int]) -> None:
        super().__init__()
        self._counts = dict(counted)

    def __getitem__(self, kind: Kind) -> int:
        """What it is at this point of the transaction."""
        return self._counts.get(kind, 0) + self._changes.get(kind, 0)

    def counts(self) -> dict[Kind, int]:
        """All that are not 0."""
        return {kind: self[kind] for kind in self._counts.keys() | self._changes.keys() if self[kind]}

    def commit(self) -> None:
        for kind, number in self._changes.items():
            count = self._counts.get(kind, 0) + number
            if count:
                self._counts[kind] = count
            else:
                self._counts.pop(kind, None)
        super().commit()


class Session:
    """``connection`` is in autocommit mode; the Writer begins and ends its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.depths: Tally[str] = Tally(dict(connection.execute(_DEPTHS)))  # by recipient, delayed messages included
        self.places: Changes[Place] = Changes()  # the same, in more detail
        self.ended: Changes[str] = Changes()  # by status
        self.leases = Leases(connection)
        self.metrics = Journal()

    def queue(self, place: Place, number: int) -> None:
        """So many messages more wait there, or fewer."""
        self.depths.add(place[0], number)
        self.places.add(place, number)

    def delay(self, recipient: str, priority: int, number: int) -> None:
        """So many of those that wait are delayed, or no longer."""
        self.places.add((recipient, priority, False), -number)
        self.places.add((recipient, priority, True), number)

    def flush(self) -> None:
        """The transaction is about to be committed."""
        if queued := [(*place, number) for place, number in self.places.changed.items() if number]:
            self.connection.executemany(_QUEUE, queued)  # not for what came and was handed out at once
        if ended := self.ended.changed:
            self.connection.executemany(_END, [(number, status) for status, number in ended.items()])

    def commit(self) -> None:
        """It was."""
        self.depths.commit()
        self.places.commit()
        self.ended.commit()
        self.metrics.commit()

    def roll_back(self) -> None:
        """It was undone."""
        self.depths.roll_back()
        self.places.roll_back()
        self.ended.roll_back()
        self.metrics.roll_back()
        self.leases.forget_all()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is written inside is undone when an exception escapes; the transaction around it goes on."""
        depths, places = dict(self.depths.changed), dict(self.places.changed)
        ended, noted = dict(self.ended.changed), self.metrics.mark()
        self.connection.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:  # a full disk may have rolled everything back by itself
                self.connection.execute("ROLLBACK TO inner")
                self.connection.execute("RELEASE inner")
            self.depths.roll_back(depths)
            self.places.roll_back(places)
            self.ended.roll_back(ended)
            self.metrics.roll_back(noted)
            self.leases.forget_all()
            raise
        self.connection.execute("RELEASE inner")
