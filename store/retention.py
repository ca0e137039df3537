"""What leaves the tables because it is old: messages that have ended go to the archive, and everything goes in the end.

A message leaves only when nothing of its tree is open, and when an exporter, if there is one, has sent it; but what is
so old that it would leave the archive as well is kept back by nothing, so that the database never grows for ever. Each
call does a few rows, so that nobody waits for it long; where the next one has to go on is a value that can be stored.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from squad.store.session import Session

Place = tuple[str, int]
"""A row that was looked at last: its time (of a message's end), and its id."""

START: Place = ("", 0)


class Limits(NamedTuple):
    """Times, as text in the tables: what is older leaves. ``sent``: an exporter has sent what ended before; None: there
    is no exporter."""

    messages: str
    archived: str
    events: str
    sent: str | None = None


class Aged(NamedTuple):
    """A table whose rows are only ever appended, and the column with the time from which their age counts."""

    table: str
    column: str


AGED = (
    Aged("events", "at"),
    Aged("machine_samples", "at"),
    Aged("convoy_resizes", "at"),
    Aged("alerts", "cleared_at"),
    Aged("alert_silences", "until"),
)
STEPS = ("messages", "archive", *(aged.table for aged in AGED))
"""In this order."""


@dataclass(slots=True)
class Removed:
    """``rows`` that have left each table that some have left.

    ``archived``: how many messages of them are in the archive now; ``dead``: how many were dead letters; ``unsent``:
    how many no exporter has sent.
    """

    rows: dict[str, int] = field(default_factory=dict)
    archived: int = 0
    dead: int = 0
    unsent: int = 0

    def of(self, table: str) -> int:
        return self.rows.get(table, 0)

    def count(self, table: str, number: int) -> None:
        if number:
            self.rows[table] = self.of(table) + number

    def add(self, other: Removed) -> None:
        for table, number in other.rows.items():
            self.count(table, number)
        self.archived += other.archived
        self.dead += other.dead
        self.unsent += other.unsent


class Portion(NamedTuple):
    """What one call has done; ``after`` is where the next one goes on, None when the step is over."""

    removed: Removed
    after: Place | None


# A message that ended before its time, and whether it may leave now.
_LEAVES = """
    completed_at < :archived OR (
        (:sent IS NULL OR completed_at < :sent)
        AND NOT EXISTS (SELECT 1 FROM tasks AS other INDEXED BY tasks_open
                        WHERE other.root_id = COALESCE(tasks.root_id, tasks.task_id) AND other.completed_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM tasks AS root
                        WHERE root.task_id = tasks.root_id AND root.completed_at IS NULL)
    )
"""
ENDED = f"""
    SELECT id, completed_at, status, {_LEAVES} FROM tasks INDEXED BY tasks_ended
    WHERE completed_at IS NOT NULL AND completed_at < :messages
      AND completed_at >= :at AND (completed_at > :at OR id > :row)
    ORDER BY completed_at, id LIMIT :rows
"""  # noqa: S608 - a constant
_OF_THEM = "IN (SELECT value FROM json_each(?))"
OVER = "SELECT id FROM tasks_archive INDEXED BY tasks_archive_ended WHERE completed_at < ? LIMIT ?"


def portion(session: Session, step: str, after: Place, limits: Limits, rows: int) -> Portion:
    """Look at the next ``rows`` rows of a step, and have those leave that may. In a transaction."""
    if step == "messages":
        return _messages(session, after, limits, rows)
    if step == "archive":
        return _archive(session.connection, limits, rows)
    return _aged(session.connection, next(aged for aged in AGED if aged.table == step), after, limits, rows)


def _messages(session: Session, after: Place, limits: Limits, rows: int) -> Portion:
    connection = session.connection
    found = connection.execute(ENDED, limits._asdict() | {"at": after[0], "row": after[1], "rows": rows}).fetchall()
    leaving = [(row, at, status) for row, at, status, leaves in found if leaves]
    removed = Removed()
    if leaving:
        kept = json.dumps([row for row, at, _ in leaving if at >= limits.archived])
        for table, key in (("tasks", "id"), ("attempts", "task_row")):
            columns = _columns(connection, table)
            copy = f"INSERT INTO {table}_archive ({columns}) SELECT {columns} FROM {table} WHERE {key} {_OF_THEM}"  # noqa: S608
            copied = connection.execute(copy, (kept,)).rowcount
            removed.archived += copied if table == "tasks" else 0
        gone = json.dumps([row for row, *_ in leaving])
        for table, key in (("attempts", "task_row"), ("tasks", "id")):
            delete = f"DELETE FROM {table} WHERE {key} {_OF_THEM}"  # noqa: S608 - names of ours
            removed.count(table, connection.execute(delete, (gone,)).rowcount)
        by_status = Counter(status for *_, status in leaving)
        removed.dead = by_status["failed"]
        for status, number in by_status.items():
            session.ended.add(status, -number)
        removed.unsent = sum(limits.sent is not None and at >= limits.sent for _, at, _ in leaving)
    return Portion(removed, (found[-1][1], found[-1][0]) if len(found) == rows else None)


def _archive(connection: sqlite3.Connection, limits: Limits, rows: int) -> Portion:
    old = [row for (row,) in connection.execute(OVER, (limits.archived, rows))]
    removed = Removed()
    for table, key in (("attempts_archive", "task_row"), ("tasks_archive", "id")):
        delete = f"DELETE FROM {table} WHERE {key} {_OF_THEM}"  # noqa: S608 - names of ours
        removed.count(table, connection.execute(delete, (json.dumps(old),)).rowcount if old else 0)
    return Portion(removed, START if len(old) == rows else None)


def _aged(connection: sqlite3.Connection, aged: Aged, after: Place, limits: Limits, rows: int) -> Portion:
    """By their ids, all of them: a clock that was set may have put an old one after a newer one."""
    table, column = aged
    look = f"SELECT rowid, {column} < ? FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608 - names of ours
    found = connection.execute(look, (limits.events, after[1], rows)).fetchall()
    old = [row for row, is_old in found if is_old]
    removed = Removed()
    if old:
        delete = f"DELETE FROM {table} WHERE rowid {_OF_THEM}"  # noqa: S608 - names of ours
        removed.count(table, connection.execute(delete, (json.dumps(old),)).rowcount)
    return Portion(removed, ("", found[-1][0]) if len(found) == rows else None)


def _columns(connection: sqlite3.Connection, table: str) -> str:
    """All of a table's, which its archive has as well."""
    return ", ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))


# -- what would leave -------------------------------------------------------------------------------------------------

_WOULD = f"""
    SELECT COUNT(*), COALESCE(SUM(completed_at >= :archived), 0), COALESCE(SUM(status = 'failed'), 0),
           COALESCE(SUM(:sent IS NOT NULL AND completed_at >= :sent), 0),
           COALESCE(SUM((SELECT COUNT(*) FROM attempts WHERE task_row = tasks.id)), 0)
    FROM tasks INDEXED BY tasks_ended
    WHERE completed_at IS NOT NULL AND completed_at < :messages AND ({_LEAVES})
"""  # noqa: S608 - a constant
_KEPT_BACK = f"""
    SELECT COUNT(*) FROM tasks INDEXED BY tasks_ended
    WHERE completed_at IS NOT NULL AND completed_at < :messages AND NOT ({_LEAVES})
"""  # noqa: S608 - a constant
_WOULD_LEAVE_ARCHIVE = """
    SELECT COUNT(*), COALESCE(SUM((SELECT COUNT(*) FROM attempts_archive WHERE task_row = tasks_archive.id)), 0)
    FROM tasks_archive WHERE completed_at < ?
"""


def would_leave(connection: sqlite3.Connection, limits: Limits) -> Removed:
    """What all steps together would remove now, exactly. It only reads."""
    removed = Removed()
    values: Mapping[str, str | None] = limits._asdict()
    tasks, removed.archived, removed.dead, removed.unsent, attempts = connection.execute(_WOULD, values).fetchone()
    over, over_attempts = connection.execute(_WOULD_LEAVE_ARCHIVE, (limits.archived,)).fetchone()
    counts = {"tasks": tasks, "attempts": attempts, "tasks_archive": over, "attempts_archive": over_attempts}
    for table, column in AGED:
        count = f"SELECT COUNT(*) FROM {table} WHERE {column} < ?"  # noqa: S608 - names of ours
        counts[table] = connection.execute(count, (limits.events,)).fetchone()[0]
    for table, number in counts.items():
        removed.count(table, number)
    return removed


def kept_back(connection: sqlite3.Connection, limits: Limits) -> int:
    """How many messages are old enough, and stay because something of their tree is open, or is not sent."""
    return int(connection.execute(_KEPT_BACK, limits._asdict()).fetchone()[0])
