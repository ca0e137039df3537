"""What happened, as events: those that are recorded, and those that are read off the messages themselves.

    with open_reader(path) as pool, pool.connection() as database, database.atomic():
        for happening in history.newest(database): ...

The kinds are those of ``squad.events``. A message's events come from the times in its row and in those of its failed
attempts: so they cost nothing until somebody looks, and what became of a message replaces what it was before.
"""

from __future__ import annotations

import heapq
import json
import time
from bisect import insort
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any, NamedTuple, cast

from peewee import SQL, Database, Expression, fn

from squad.events import DERIVED, MESSAGES
from squad.store.database import ReadOnlyDatabase, fetch
from squad.store.models import Attempt, ConvoyResize, Event, Task
from squad.store.times import iso, seconds

_LATE = 2.0  # seconds that an end may be older than one which was found before it
_REMEMBERED = 100_000  # ends that are not told again when the clock is set back

_RANKS = {"queued": 0, "started": 1, "completed": 3, "failed": 3, "cancelled": 3, "expired": 3}  # within a millisecond
_ENDS = ("completed", "cancelled", "expired")  # read from messages; "failed" is read from their last attempts
_RUNNING = SQL("status = 'running'")  # a literal: only then is the partial index sure to be used

# Of the index alone, dead letters included: under load most of what they give is known already.
_LAST_ENDS = "SELECT id, completed_at FROM tasks WHERE completed_at IS NOT NULL ORDER BY completed_at DESC LIMIT ?"
_ENDS_SINCE = "SELECT id, completed_at FROM tasks WHERE completed_at >= ? ORDER BY completed_at"


@dataclass(frozen=True, slots=True)
class Happening:
    """One event. ``at`` is ISO 8601 text as in the tables; ``detail`` has no entry for what is not known."""

    at: str
    kind: str
    subject: str
    detail: dict[str, Any]

    @property
    def order(self) -> tuple[str, int]:
        """By time, and within a millisecond by what must come before what."""
        return self.at, _RANKS.get(self.kind, 2)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; None: all. ``agent`` is a recipient, or who an event of the squad is about (or whose workers)."""

    kinds: frozenset[str] | None = None
    agent: str | None = None

    def has(self, *kinds: str) -> bool:
        return self.kinds is None or not self.kinds.isdisjoint(kinds)

    @property
    def messages(self) -> bool:
        return self.has(*MESSAGES)

    @property
    def recorded(self) -> bool:
        return self.kinds is None or not self.kinds <= DERIVED.keys()

    def fits(self, happening: Happening) -> bool:
        """For what no condition in SQL has chosen."""
        about = (happening.subject, happening.detail.get("agent"))
        return self.has(happening.kind) and (self.agent is None or any(self._is_it(name) for name in about))

    def _is_it(self, name: str | None) -> bool:
        return name is not None and (name == self.agent or _is_worker_of(name, self.agent))

    def recipient(self, *conditions: Expression | SQL) -> list[Any]:
        """Conditions on messages, with the agent's among them."""
        return [*conditions, *([] if self.agent is None else [Task.recipient == self.agent])]


def _is_worker_of(name: str, convoy: str | None) -> bool:
    base, _, number = name.rpartition("-")
    return base == convoy and number.isdecimal()


# -- rows -------------------------------------------------------------------------------------------------------------


class MessageEvents(NamedTuple):
    """What the events of a message are read from."""

    row: int
    fence: int
    task_id: str
    recipient: str
    type: str
    sender: str
    priority: int
    status: str
    worker: str | None
    created_at: str
    claimed_at: str | None
    started_at: str | None
    completed_at: str
    duration_ms: int | None
    error: str | None

    def queued(self) -> Happening:
        return self._event(self.created_at, "queued", sender=self.sender, priority=self.priority)

    def handed_over(self) -> Happening:
        return self._event(self.claimed_at or self.created_at, "started", worker=self.worker)

    def began(self) -> Happening | None:
        """When its handler began; None when it never did."""
        return self._event(self.started_at, "started", worker=self.worker) if self.started_at else None

    def ended(self) -> Happening:
        if self.status == "completed":
            return self._event(self.completed_at, "completed", worker=self.worker, duration_ms=self.duration_ms)
        return self._event(self.completed_at, self.status, error=self.error)

    def _event(self, at: str, kind: str, **detail: Any) -> Happening:
        return _happening(at, kind, self.task_id, agent=self.recipient, type=self.type, **detail)


_MESSAGE = (
    Task.id,
    Task.fence,
    Task.task_id,
    Task.recipient,
    Task.type,
    Task.sender,
    Task.priority,
    Task.status,
    Task.lease_owner,
    Task.created_at,
    Task.claimed_at,
    Task.started_at,
    Task.completed_at,
    Task.duration_ms,
    Task.error_message,
)


class AttemptEvents(NamedTuple):
    """An attempt that did not complete, and of which message."""

    row: int
    task_row: int
    task_id: str
    recipient: str
    type: str
    number: int
    worker: str
    started_at: str | None
    ended_at: str
    outcome: str
    final: int
    error: str

    def began(self) -> Happening | None:
        return self._event(self.started_at, "started") if self.started_at else None

    def ended(self) -> Happening:
        kind = "failed" if self.final else "retried"
        return self._event(self.ended_at, kind, attempt=self.number, outcome=self.outcome, error=self.error)

    def _event(self, at: str, kind: str, **detail: Any) -> Happening:
        return _happening(at, kind, self.task_id, agent=self.recipient, type=self.type, worker=self.worker, **detail)


_ATTEMPT = (
    Attempt.id,
    Attempt.task,
    Task.task_id,
    Task.recipient,
    Task.type,
    Attempt.number,
    Attempt.worker,
    Attempt.started_at,
    Attempt.ended_at,
    Attempt.outcome,
    Attempt.final,
    Attempt.error,
)


def _happening(at: str, kind: str, subject: str, /, **detail: Any) -> Happening:
    return Happening(at, kind, subject, {name: value for name, value in detail.items() if value is not None})


def _where(query: Any, conditions: Iterable[Any]) -> Any:
    for condition in conditions:
        query = query.where(condition)
    return query


def _messages(database: Database, order: Any, conditions: Iterable[Any]) -> Iterator[MessageEvents]:
    query = _where(Task.select(*_MESSAGE), conditions).order_by(order)
    return map(MessageEvents._make, query.tuples().iterator(database))


def _attempts(database: Database, order: Any, conditions: Iterable[Any]) -> Iterator[AttemptEvents]:
    query = _where(Attempt.select(*_ATTEMPT).join(Task), conditions).order_by(order)
    return map(AttemptEvents._make, query.tuples().iterator(database))


def _recorded(database: Database, order: Any, *conditions: Any) -> Iterator[tuple[int, Happening]]:
    query = Event.select(Event.id, Event.at, Event.kind, Event.subject, Event.detail)
    for row, at, kind, subject, text in _where(query, conditions).order_by(order).tuples().iterator(database):
        yield row, _happening(at, kind, subject, **_detail(text))


def _resizes(database: Database, order: Any, *conditions: Any) -> Iterator[tuple[int, Happening]]:
    columns = (
        ConvoyResize.id,
        ConvoyResize.at,
        ConvoyResize.convoy,
        ConvoyResize.from_size,
        ConvoyResize.to_size,
        ConvoyResize.reason,
    )
    chosen = _where(ConvoyResize.select(*columns), conditions).order_by(order)
    for row, at, convoy, before, size, reason in chosen.tuples().iterator(database):
        yield row, _happening(at, "resized", convoy, **{"from": before, "to": size}, reason=reason)


def _detail(text: str) -> dict[str, Any]:
    """The details of a recorded event; whatever else somebody put there with SQL is shown as ``text``."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"text": text}


# -- what has happened ------------------------------------------------------------------------------------------------


def last(database: Database, most: int, wanted: Wanted = Wanted(), since: float | None = None) -> list[Happening]:
    """The last ``most`` events, from ``since`` (seconds since the epoch) on; the oldest of them first."""
    start = "" if since is None else iso(since)
    falling = takewhile(lambda happening: happening.at >= start, _falling(database, wanted))
    return list(islice(filter(wanted.fits, falling), most))[::-1]


def about(database: Database, subject: str) -> list[Happening]:
    """What was recorded about this subject, such as a message that somebody replayed; the oldest first."""
    return [happening for _, happening in _recorded(database, Event.id, Event.subject == subject)]


def recorded(database: Database, subjects: Collection[str], kinds: Collection[str], most: int = 50) -> list[Happening]:
    """The last ``most`` events of these kinds that were recorded about these subjects; the newest first."""
    chosen = (Event.subject.in_(list(subjects)), Event.kind.in_(list(kinds)))
    return [happening for _, happening in islice(_recorded(database, Event.id.desc(), *chosen), most)]


def _falling(database: Database, wanted: Wanted) -> Iterator[Happening]:
    """The newest first, read as they are asked for. Those of other kinds and agents may be among them."""
    sources: list[Iterable[Happening]] = []
    if wanted.has("queued"):
        sources.append(row.queued() for row in _messages(database, Task.id.desc(), wanted.recipient()))
    if wanted.has("started"):
        running = _messages(database, Task.claimed_at.desc(), wanted.recipient(_RUNNING))
        sources.append(row.handed_over() for row in running)
    if wanted.has("started", *_ENDS):
        which = [end for end in _ENDS if wanted.has("started", end)]
        conditions = wanted.recipient(Task.completed_at.is_null(False), Task.status.in_(which))
        sources.append(_ends_and_begins(_messages(database, Task.completed_at.desc(), conditions)))
    if wanted.has("started", "retried", "failed"):
        final = [] if wanted.has("started", "retried") else [Attempt.final == 1]
        sources.append(_ends_and_begins(_attempts(database, Attempt.id.desc(), wanted.recipient(*final))))
    if wanted.recorded:
        sources.append(happening for _, happening in _recorded(database, Event.id.desc()))
    if wanted.has("resized"):
        sources.append(happening for _, happening in _resizes(database, ConvoyResize.id.desc()))
    return heapq.merge(*sources, key=lambda happening: happening.order, reverse=True)


def _ends_and_begins(rows: Iterable[MessageEvents | AttemptEvents]) -> Iterator[Happening]:
    """Both by falling time, from rows whose ends fall. A begin comes when no end can come that is later."""
    begins: list[Happening] = []
    for row in rows:
        end = row.ended()
        while begins and begins[-1].order >= end.order:
            yield begins.pop()
        yield end
        if (begin := row.began()) is not None:
            insort(begins, begin, key=lambda happening: happening.order)
    yield from reversed(begins)


# -- what happens from now on -----------------------------------------------------------------------------------------


class Watch:
    """What happens after it was made, each event once. It keeps to one connection, which is to be its own.

    ``look`` asks SQLite first whether anything was written at all, which costs next to nothing.

    Rows are taken in the order of their ids where they have one; there is one writer, so they are committed in it. An
    end is an update: it is found by its time, and told from those that were found before by row and time. Times are the
    writer's, and a transaction's are those of its beginning, so what is committed later is never much earlier; for the
    case that the clock is set back, ends are looked for from the present on and not from the last one.
    """

    def __init__(self, database: Database, wanted: Wanted = Wanted()) -> None:
        """Call it in the transaction that has read what came before."""
        self._database = database
        self._wanted = wanted
        self._version = self._data_version()
        self._task = _highest(database, Task)
        self._attempt = _highest(database, Attempt)
        self._event = _highest(database, Event)
        self._resize = _highest(database, ConvoyResize)
        running = _messages(database, Task.id, [_RUNNING])
        self._begun = {row.row: row.fence for row in running}  # row -> the claim whose begin was told
        newest = fetch(database, _LAST_ENDS, _REMEMBERED // 2)
        self._ends = dict.fromkeys(reversed(newest))  # (row, time) of those that were told, as an ordered set

    def look(self) -> list[Happening]:
        """What is new, by time. Not to be called within a transaction."""
        version = self._data_version()
        if version == self._version:
            return []
        with self._database.atomic():
            found = [happening for happening in self._news() if self._wanted.fits(happening)]
        self._version = version
        return sorted(found, key=lambda happening: happening.order)

    def _data_version(self) -> int:
        return cast(ReadOnlyDatabase, self._database).version()

    def _news(self) -> Iterator[Happening]:
        if self._wanted.messages:
            for row in _messages(self._database, Task.id, [Task.id > self._task]):
                self._task = row.row
                yield row.queued()
            yield from self._attempts()
            yield from self._ended()
            for row in _messages(self._database, Task.id, [_RUNNING]):
                if self._begun.get(row.row) != row.fence:
                    self._begun[row.row] = row.fence
                    yield row.handed_over()
        if self._wanted.recorded:
            for row_id, happening in _recorded(self._database, Event.id, Event.id > self._event):
                self._event = row_id
                yield happening
        if self._wanted.has("resized"):
            for row_id, happening in _resizes(self._database, ConvoyResize.id, ConvoyResize.id > self._resize):
                self._resize = row_id
                yield happening

    def _attempts(self) -> Iterator[Happening]:
        for row in _attempts(self._database, Attempt.id, [Attempt.id > self._attempt]):
            self._attempt = row.row
            if self._begun.pop(row.task_row, None) is None and (began := row.began()) is not None:
                yield began
            yield row.ended()

    def _ended(self) -> Iterator[Happening]:
        _, newest = next(reversed(self._ends), (0, ""))
        start = min(time.time(), _seconds(newest)) - _LATE
        fresh = [end for end in fetch(self._database, _ENDS_SINCE, iso(start)) if end not in self._ends]
        self._ends |= dict.fromkeys(fresh)
        rows = SQL("(SELECT value FROM json_each(?))", [json.dumps([row for row, _ in fresh])])
        for row in _messages(self._database, Task.completed_at, [Task.id.in_(rows), Task.status.in_(_ENDS)]):
            if self._begun.pop(row.row, None) != row.fence and (began := row.began()) is not None:
                yield began
            yield row.ended()
        while len(self._ends) > _REMEMBERED:
            del self._ends[next(iter(self._ends))]


def _highest(database: Database, model: type[Any]) -> int:
    return int(model.select(fn.COALESCE(fn.MAX(model.id), 0)).scalar(database))


def _seconds(at: str) -> float:
    """Seconds since the epoch of a time in a table; 0 for what is none."""
    try:
        return seconds(at)
    except ValueError:
        return 0.0
