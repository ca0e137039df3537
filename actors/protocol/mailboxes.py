"""Messages of users on their way: into the store, to their workers, and to their ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from squad.errors import SquadError
from squad.events import Event
from squad.store.incidents import Change, Order
from squad.store.metrics.journal import Measured
from squad.store.rows import DeadFilter, Lease, NewTask, Outcome, Refusal, Submitted

Rows = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class StorageReady:
    """Storage to supervisor: open, migrated and serving. ``kept`` is what the supervisor asked it to keep."""

    worker: str
    kept: dict[str, str] = field(default_factory=dict)


def convoy_key(name: str) -> str:
    """Under which a convoy's size that was set by hand is kept in the store, and is in ``StorageReady.kept``."""
    return f"convoy/{name}"


@dataclass(frozen=True, slots=True)
class Submit:
    """Anyone to storage: make these messages durable. Answered by SubmitDone after the commit."""

    request: str
    rows: tuple[NewTask, ...]
    put: tuple[tuple[str, str], ...] = ()  # (key, JSON) into the keeper table, committed together with the rows
    groups: tuple[int, ...] = ()  # sizes of the parts that are stored whole or not at all; (): all are one

    def __reduce__(self) -> tuple[Any, ...]:
        return _submit, (self.request, _plain(self.rows), self.put, self.groups)


@dataclass(frozen=True, slots=True)
class SubmitDone:
    """``results`` are those of the parts that were stored, in order; ``refused`` the others, by number from 0."""

    request: str
    results: tuple[Submitted, ...]
    error: str = ""  # set: nothing at all was stored
    refused: tuple[tuple[int, Refusal], ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _submit_done, (self.request, _plain(self.results), self.error, self.refused)


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to storage: I take messages for ``recipient``, up to ``window`` at once, and hold these leases.

    Said at the start, whenever ``window`` changes, now and then, and after every StorageAt. Storage hands out
    ``window`` less what the worker has not settled; no message is needed to ask for the next one. A lease which
    storage believes the worker to have but which is not in ``held`` was lost on the way and is delivered again.
    """

    recipient: str
    worker: str
    window: int
    held: tuple[tuple[int, int], ...] = ()  # (row, fence)
    want_state: bool = False
    heard: float = 0.0  # when storage had it, monotonic there; it may be long until it comes to it


@dataclass(frozen=True, slots=True)
class State:
    """Storage to worker: the agent's durable state, in answer to a Ready with ``want_state``."""

    version: int
    text: str  # JSON object


@dataclass(frozen=True, slots=True)
class Deliver:
    """Storage to worker: new leases, and the fate of the outcomes it sent: (row, fence, accepted)."""

    leases: tuple[Lease, ...] = ()
    settled: tuple[tuple[int, int, bool], ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _deliver, (_plain(self.leases), self.settled)


@dataclass(frozen=True, slots=True)
class Settle:
    """Worker to storage: how these leases ended. Said again until a Deliver names them in ``settled``."""

    recipient: str
    worker: str
    outcomes: tuple[Outcome, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return _settle, (self.recipient, self.worker, tuple(map(_plain_outcome, self.outcomes)))


@dataclass(frozen=True, slots=True)
class Released:
    """Supervisor to storage: this worker is gone, so its leases return. ``in_hand`` is charged an attempt, which failed
    by ``kind``, one of ``squad.store.rows.ENDED``."""

    worker: str
    in_hand: tuple[int, int] | None  # (row, fence)
    reason: str
    charge: bool = True
    kind: str = "crash"


@dataclass(frozen=True, slots=True)
class ReleaseDone:
    """Storage to supervisor: the release of this worker's leases is committed."""

    worker: str


@dataclass(frozen=True, slots=True)
class CancelLease:
    """Storage to worker: this lease's message is cancelled. Said again whenever the worker is heard of."""

    row: int
    fence: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """Supervisor to storage: the machine is overloaded: let ``pause`` seconds pass between two hand-outs (0: none)."""

    pause: float


@dataclass(frozen=True, slots=True)
class Evict:
    """Storage to supervisor: this worker went on with a cancelled message past its grace. End its process."""

    worker: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Gateway to storage: end this message (with ``tree``: and all that came of it)."""

    request: str
    task_id: str
    tree: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """``cancelled`` messages that waited have ended; the handlers of ``running`` others have been told."""

    request: str
    cancelled: int = 0
    running: int = 0
    error: SquadError | None = None  # set: nothing was done


@dataclass(frozen=True, slots=True)
class Desk:
    """Gateway to storage: do this with dead letters, given by their ids or by a filter."""

    request: str
    action: Literal["replay", "edit", "drop"]
    which: tuple[str, ...] | DeadFilter
    payload: str = ""  # for edit: JSON text that fits the type
    dry_run: bool = False  # only say which


@dataclass(frozen=True, slots=True)
class DeskDone:
    """The ids of the dead letters, or the error for which nothing was done."""

    request: str
    ids: tuple[str, ...] = ()
    error: SquadError | None = None


@dataclass(frozen=True, slots=True)
class Maintain:
    """Gateway to storage: tidy the database now (``prune``: only have leave what is old). Answered by MaintainDone."""

    request: str
    what: Literal["run", "prune"]


@dataclass(frozen=True, slots=True)
class MaintainDone:
    """It has begun, at ``began`` (seconds since the epoch). ``already``: it was under way. What comes of it is in the
    store."""

    request: str
    began: float = 0.0
    already: bool = False
    error: SquadError | None = None  # set: it has not begun


@dataclass(frozen=True, slots=True)
class Attend:
    """Gateway to storage: somebody knows of alerts, or wants silence. Answered by Attended."""

    request: str
    order: Order


@dataclass(frozen=True, slots=True)
class Attended:
    """``changed``: the ids of the alerts or silences for which it made a difference."""

    request: str
    changed: tuple[str, ...] = ()
    error: SquadError | None = None  # set: nothing was done


@dataclass(frozen=True, slots=True)
class Watch:
    """Gateway to storage: say Watched once this message (with ``tree``: and all that came of it) has ended."""

    request: str
    task_id: str
    tree: bool


@dataclass(frozen=True, slots=True)
class Unwatch:
    request: str


@dataclass(frozen=True, slots=True)
class Watched:
    request: str


@dataclass(frozen=True, slots=True)
class Record:
    """Anyone to storage: append these rows to the tables of history.

    With an ``author`` it is answered by RecordDone. That author's records have numbers, from 1, and are written in
    their order, each once, however often they are said. Without one it is not answered, and may be lost.
    """

    events: tuple[Event, ...] = ()
    resizes: tuple[tuple[str, int, int, str, str], ...] = ()  # convoy, from, to, reason, readings JSON
    put: tuple[tuple[str, str], ...] = ()  # (key, JSON) into the keeper table
    author: str = ""
    number: int = 0
    samples: tuple[tuple[float, float, int, int, float], ...] = ()  # of the machine: see store/recording.py
    sends: tuple[NewTask, ...] = ()  # messages that tell an agent of it
    metrics: tuple[Measured, ...] = ()
    alerts: tuple[Change, ...] = ()  # each has an effect once, however often it is said

    @property
    def recipients(self) -> set[str]:
        """Who may be sent something with it."""
        return {row.recipient for rows in (self.sends, *(made.sends for made in self.alerts)) for row in rows}


@dataclass(frozen=True, slots=True)
class RecordDone:
    """Storage to the author of a Record: it is committed."""

    number: int


# -- how those that carry rows are pickled: named tuples as plain ones, which takes a third of the time --------------


def _plain(rows: Iterable[tuple[Any, ...]]) -> Rows:
    return tuple(map(tuple, rows))


def _submit(request: str, rows: Rows, put: tuple[tuple[str, str], ...], groups: tuple[int, ...]) -> Submit:
    return Submit(request, tuple(map(NewTask._make, rows)), put, groups)


def _submit_done(request: str, results: Rows, error: str, refused: tuple[tuple[int, Refusal], ...]) -> SubmitDone:
    return SubmitDone(request, tuple(map(Submitted._make, results)), error, refused)


def _deliver(leases: Rows, settled: tuple[tuple[int, int, bool], ...]) -> Deliver:
    return Deliver(tuple(map(Lease._make, leases)), settled)


def _settle(recipient: str, worker: str, rows: Rows) -> Settle:
    return Settle(recipient, worker, tuple(map(_outcome, rows)))


_SENDS = Outcome._fields.index("sends")


def _plain_outcome(outcome: Outcome) -> tuple[Any, ...]:
    values: list[Any] = list(outcome)
    values[_SENDS] = _plain(outcome.sends)
    return tuple(values)


def _outcome(values: tuple[Any, ...]) -> Outcome:
    if not values[_SENDS]:
        return Outcome._make(values)
    whole = list(values)  # _replace takes as long as the rest of it
    whole[_SENDS] = tuple(map(NewTask._make, values[_SENDS]))
    return Outcome._make(whole)
