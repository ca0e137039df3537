"""Messages that have ended, in the order in which they may be passed on: each end once, whatever ends next.

An end is found by its time, and two things make that a place to go on from. There is one writer, and a transaction
writes the time of its beginning: so once anything is there that bears a later time, no more ends of this one can come.
Until then they are left alone (``Page.open``). And dead letters are taken from their last attempts, whose ids are given
in order and never twice: so a dead letter that somebody has replayed meanwhile is not missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple, cast

from peewee import Database

from squad.store.times import iso

KEY = "export"  # in the keeper table: how far everything was passed on

_MOST_BYTES = 2_000_000  # of payloads and results in a page

_COLUMNS = """
    tasks.id, tasks.task_id, tasks.parent_id, COALESCE(tasks.root_id, tasks.task_id), tasks.sender, tasks.recipient,
    tasks.type, tasks.priority, tasks.traceparent, tasks.created_at,
    (SELECT type FROM tasks AS root WHERE root.task_id = COALESCE(tasks.root_id, tasks.task_id))
"""
_CONTENT = ("'' AS payload, NULL AS result", "tasks.payload, tasks.result")
_ENDS = """
    SELECT {columns}, status, started_at, completed_at, duration_ms, lease_owner, error_message, 0, {content}
    FROM tasks INDEXED BY tasks_ended
    WHERE completed_at IS NOT NULL AND completed_at >= ? AND completed_at < ?
      AND (completed_at > ? OR id > ?) AND status IN ('completed', 'cancelled', 'expired')
    ORDER BY completed_at, id
    LIMIT ?
"""
_DEAD = """
    SELECT {columns}, 'failed', attempts.started_at, ended_at, NULL, worker, error, attempts.id, {content}
    FROM attempts CROSS JOIN tasks ON tasks.id = task_row
    WHERE attempts.id > ? AND attempts.id <= ? AND final = 1
    ORDER BY attempts.id
    LIMIT ?
"""
_LATEST = """
    SELECT MAX(at) FROM (
        SELECT MAX(completed_at) AS at FROM tasks WHERE completed_at IS NOT NULL
        UNION ALL SELECT MAX(updated_at) FROM keeper
    )
"""
_LAST_ATTEMPT = "SELECT COALESCE(MAX(id), 0) FROM attempts"
_FIRST_ATTEMPT = "SELECT COALESCE(MAX(id), 0) FROM attempts WHERE ended_at < ?"
_ANY_LATER = """
    SELECT 1 FROM tasks
    WHERE completed_at IS NOT NULL AND completed_at >= ? AND (completed_at > ? OR id > ?)
      AND status IN ('completed', 'cancelled', 'expired')
    LIMIT 1
"""
_ATTEMPTS = """
    SELECT task_row, id, number, worker, started_at, ended_at, outcome, final, error FROM attempts
    WHERE task_row IN ({rows}) ORDER BY task_row, id
"""
_AT_ONCE = 500  # rows named in one statement


class Place(NamedTuple):
    """How far ends were passed on: all up to this time and, at it, this row; of dead letters up to this attempt."""

    at: str
    row: int
    attempt: int


class Failure(NamedTuple):
    """An attempt that did not complete."""

    id: int
    number: int
    worker: str
    started_at: str | None
    ended_at: str
    outcome: str
    final: int
    error: str


class Ended(NamedTuple):
    """A message, and one end that it came to. Times are text as in the tables, ``duration_ms`` milliseconds."""

    row: int
    task_id: str
    parent_id: str | None
    root_id: str
    sender: str
    recipient: str
    type: str
    priority: int
    traceparent: str | None
    created_at: str
    root_type: str | None  # None: the root is not here any more
    status: str
    started_at: str | None
    ended_at: str
    duration_ms: int | None
    worker: str | None
    error: str | None
    attempt: int  # the id of its last attempt, of a dead letter; 0 for another
    payload: str  # "" and None where nobody asked for them
    result: str | None
    replays: int = 0  # how often it had been a dead letter before
    failures: tuple[Failure, ...] = ()  # attempts since then, without the one that completed
    earlier: int = 0  # attempts before that


class Page(NamedTuple):
    """``place`` is behind its ends. ``more``: there are others; ``open``: there are some whose time has not passed."""

    ends: list[Ended]
    place: Place
    more: bool
    open: bool


def beginning(database: Database, since: float) -> Place:
    """The place before everything that ended after ``since``, in seconds since the epoch."""
    start = iso(since)
    return Place(start, 0, _asked(database, _FIRST_ATTEMPT, (start,)).fetchone()[0])


def page(database: Database, place: Place, until: float, most: int, *, content: bool) -> Page:
    """The next ends behind ``place``, ``most`` of them or what is 2 MB; none that is later than ``until``.

    ``content``: with payloads and results. Call it in a transaction of its own.
    """
    latest = _asked(database, _LATEST).fetchone()[0] or ""
    last_attempt = _asked(database, _LAST_ATTEMPT).fetchone()[0]
    wanted = {"columns": _COLUMNS, "content": _CONTENT[content]}
    rows = _asked(database, _DEAD.format(**wanted), (place.attempt, last_attempt, most + 1))
    dead, cut_dead = _within(rows, max(1, most // 2))
    attempt = dead[-1].attempt if cut_dead else last_attempt
    # Other ends do not overtake dead letters: their time is what says how far all is passed on.
    closed = min(latest, iso(until), *([dead[-1].ended_at] if cut_dead else []))
    rows = _asked(database, _ENDS.format(**wanted), (place.at, closed, place.at, place.row, most + 1))
    ends, cut = _within(rows, most - len(dead))
    at, row = (ends[-1].ended_at, ends[-1].row) if ends else (place.at, place.row)
    waits = not cut and _asked(database, _ANY_LATER, (at, at, row)).fetchone() is not None
    if dead and not cut and not waits:  # else a place that only dead letters move would keep its time
        at, row = max((at, row), (closed, 0))
    found = _with_failures(database, [*ends, *dead])
    return Page(found, Place(at, row, attempt), cut or cut_dead, waits)


def _asked(database: Database, sql: str, values: Sequence[object] = ()) -> Any:
    """The cursor; peewee has no types for it."""
    return cast(Any, database).execute_sql(sql, values)


def _within(rows: Iterable[Sequence[object]], most: int) -> tuple[list[Ended], bool]:
    """As many as a page holds, and whether there are others. A first one always fits, unless ``most`` is 0."""
    found: list[Ended] = []
    size = 0
    for row in rows:
        ended = Ended(*cast(Any, row))
        size += len(ended.payload) + len(ended.result or "")
        if len(found) >= most or (found and size > _MOST_BYTES):
            return found, True
        found.append(ended)
    return found, False


def _with_failures(database: Database, ends: Sequence[Ended]) -> list[Ended]:
    rows = sorted({ended.row for ended in ends})
    of_row: dict[int, list[Failure]] = {}
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        found = _asked(database, _ATTEMPTS.format(rows=marks), some)
        for row, group in groupby(found, key=lambda attempt: cast(int, attempt[0])):
            of_row[row] = [Failure._make(attempt[1:]) for attempt in group]
    return [_told(ended, of_row.get(ended.row, [])) for ended in ends]


def _told(ended: Ended, failures: list[Failure]) -> Ended:
    """With the attempts that led to this end: those since it was replayed, if it was."""
    if ended.attempt:
        failures = [failure for failure in failures if failure.id <= ended.attempt]
    before = failures[:-1] if ended.attempt else failures
    replays = sum(failure.final for failure in before)
    start = max((number + 1 for number, failure in enumerate(before) if failure.final), default=0)
    return ended._replace(replays=replays, failures=tuple(failures[start:]), earlier=start)


def statements() -> Iterator[str]:
    """What is asked, for those who look how it is looked up."""
    wanted = {"columns": _COLUMNS, "content": _CONTENT[True]}
    yield from (_ENDS.format(**wanted), _DEAD.format(**wanted), _ANY_LATER, _ATTEMPTS.format(rows="?"))
