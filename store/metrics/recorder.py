"""Recording: what the storage does with metrics beside counting them."""

from __future__ import annotations

from collections.abc import Sequence

from squad.store.metrics import folding
from squad.store.metrics.journal import Measured
from squad.store.metrics.summary import Summary
from squad.store.metrics.writing import Book
from squad.store.session import Session

_DEPTH = "queue_depth"
_AGAIN = 3600.0  # seconds between two looks for series of which nothing is left


class Recorder:
    """All but ``pending`` and ``enabled`` is for the inside of a transaction; times are seconds since the epoch.

    It remembers nothing that is not in the database, but for what ``pending`` says and the ids of series.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._book = Book(session.connection)
        self._waiting: set[str] | None = None  # whose depth was not 0 when it was written last; None: ask the database
        self._swept = 0.0

    @property
    def enabled(self) -> bool:
        """While it is False nothing is counted, and what is handed in is dropped."""
        return self._session.metrics.enabled

    @enabled.setter
    def enabled(self, value: bool) -> None:
        self._session.metrics.enabled = value

    @property
    def pending(self) -> bool:
        """Whether something was counted that is not written."""
        return bool(self._session.metrics)

    def add(self, measured: Sequence[Measured]) -> None:
        """Take what others have measured."""
        for each in measured:
            self._session.metrics.add(each)

    def write(self, now: float) -> None:
        """Write all that was counted, and how many messages wait for whom."""
        journal = self._session.metrics
        depths = self._session.depths.counts()
        waiting = self._book.not_zero(_DEPTH) if self._waiting is None else self._waiting
        for agent in {*depths, *waiting}:
            journal.add(Measured(_DEPTH, agent, "", "gauge", Summary.gauged(depths.get(agent, 0))))
        self._waiting = set(depths)
        for sums in journal.take():
            self._book.write(sums, now)

    def fold(self, now: float, keep: float) -> bool:
        """One slice of what keeps the tables small (``folding``): a few milliseconds. False: all is done.

        ``keep``: seconds for which metrics are kept.
        """
        if folding.fold(self._session.connection, now, keep):
            return True
        if abs(now - self._swept) >= _AGAIN:
            self._swept = now
            if folding.abandoned(self._session.connection, now, keep):
                self._book.forget()
        return False

    def forget(self) -> None:
        """A transaction was undone."""
        self._book.forget()
        self._waiting = None
