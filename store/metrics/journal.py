"""What was counted in the store's transactions and is not written yet.

It is an addition or two for each message: what was counted is noted in a list, which is cut back when a transaction or
a savepoint is undone, and added up only when it has become long, or is to be written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from squad.metrics import Kind
from squad.store.metrics.summary import Summary
from squad.store.times import seconds

_LONG = 2048  # notes

Key = tuple[str, str, str]
"""name, agent, type; of none: empty."""


class Measured(NamedTuple):
    """What somebody else has measured: a summary of a metric."""

    name: str
    agent: str
    type: str
    kind: Kind
    summary: Summary


Note = tuple[Key, int | Measured]

Where = tuple[str, str]
"""recipient, type"""

Times = tuple[list[float], list[str | float], list[float]]
"""Of messages that have completed: when their handlers began (seconds since the epoch), since when they were ready
(likewise, or as text), and how long the handlers ran (milliseconds)."""


class Sums:
    """What was recorded of each series."""

    def __init__(self) -> None:
        self.of: dict[Key, tuple[Kind, Summary]] = {}

    def add(self, key: Key, kind: Kind, summary: Summary) -> None:
        known = self.of.get(key)
        if known is None:
            self.of[key] = kind, summary
        else:
            known[1].add(summary)

    def observe(self, key: Key, values: list[float]) -> None:
        self.add(key, "histogram", Summary.observed(values))

    def merge(self, earlier: Sums) -> None:
        later, self.of = self.of, earlier.of
        for key, (kind, summary) in later.items():
            self.add(key, kind, summary)

    def add_up(self, notes: Iterable[Note], handled: Iterable[tuple[Where, Times]]) -> None:
        """Many at once: this is most of what metrics cost."""
        counts: dict[Key, int] = {}
        for key, noted in notes:
            if isinstance(noted, Measured):
                own = Summary()  # what was handed in stays as it is: should this be undone, it is handed in again
                own.add(noted.summary)
                self.add(key, noted.kind, own)
            else:
                counts[key] = counts.get(key, 0) + noted
        for key, number in counts.items():
            self.add(key, "counter", Summary.counted(number))
        times: dict[Where, Times] = {}
        for where, lists in handled:
            if where in times:
                began, ready, took = times[where]
                began += lists[0]
                ready += lists[1]
                took += lists[2]
            else:
                times[where] = lists
        for where, (began, ready, took) in times.items():
            moments = {since: seconds(since) for since in set(ready)}  # many became ready at the same moment
            waited = [(at - moments[since]) * 1000 for at, since in zip(began, ready, strict=True)]
            if min(waited) < 0:  # somebody has set the clock
                waited = [max(0.0, each) for each in waited]
            self.add(("completed", *where), "counter", Summary.counted(len(took)))
            self.observe(("handling_ms", *where), took)
            self.observe(("waiting_ms", *where), waited)


class Journal:
    """See the module. While ``enabled`` is False nothing is noted."""

    def __init__(self) -> None:
        self.enabled = True
        self._notes: list[Note] = []
        self._handled: list[tuple[Where, Times]] = []
        self._messages = 0  # in these, or a few more
        self._committed = (0, 0)  # how many of both are of transactions that were
        self._sums = Sums()  # of notes before them
        self._taken: Sums | None = None
        self._transactions: list[float] = []  # seconds
        self._commits: list[float] = []

    def __bool__(self) -> bool:
        """Whether there is anything to write. How long transactions took is no reason to have another one."""
        return bool(self._notes or self._handled or self._sums.of)

    # -- within a transaction ---------------------------------------------------------------------------------------

    def count(self, name: str, agent: str, kind: str, number: int = 1) -> None:
        if self.enabled:
            self._notes.append(((name, agent, kind), number))

    def completed(self, where: Where, times: Times) -> None:
        """The lists are the journal's from now on, and not empty."""
        if self.enabled:
            self._handled.append((where, times))
            self._messages += len(times[0])

    def add(self, measured: Measured) -> None:
        if self.enabled:
            self._notes.append((measured[:3], measured))

    def mark(self) -> tuple[int, int]:
        """For ``roll_back``."""
        return len(self._notes), len(self._handled)

    def take(self) -> tuple[Sums, Sums]:
        """All of it, to be written in this transaction: what was committed before, and what it has noted itself."""
        notes, handled = self._committed
        own = Sums()
        own.add_up(self._notes[notes:], self._handled[handled:])
        self.roll_back(self._committed)
        self._add_up()
        taken, self._sums = self._sums, Sums()
        self._taken = taken
        return taken, own

    # -- its end ----------------------------------------------------------------------------------------------------

    def commit(self) -> None:
        self._taken = None
        self._committed = self.mark()
        if self._messages > _LONG or len(self._notes) > _LONG or len(self._commits) > _LONG:
            self._add_up()

    def roll_back(self, to: tuple[int, int] | None = None) -> None:
        """Forget what was noted in this transaction, or since ``mark`` was ``to``."""
        notes, handled = to or self._committed
        del self._notes[notes:], self._handled[handled:]
        if to is None and self._taken is not None:
            self._sums.merge(self._taken)
            self._taken = None

    def took(self, transaction: float, commit: float) -> None:
        """How long the transaction took that was just committed, and its commit, in seconds."""
        if self.enabled:
            self._transactions.append(transaction)
            self._commits.append(commit)

    def _add_up(self) -> None:
        """What is noted is of transactions that were."""
        self._sums.add_up(self._notes, self._handled)
        for name, values in (("transaction_ms", self._transactions), ("commit_ms", self._commits)):
            if values:
                self._sums.observe((name, "", ""), [value * 1000 for value in values])
                values.clear()
        self._notes.clear()
        self._handled.clear()
        self._messages = 0
        self._committed = 0, 0
