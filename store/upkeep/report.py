"""How large the database is, what is in it, what would leave it now, and what has left. It only reads."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from squad.errors import StoreError
from squad.store import migrations
from squad.store.faults import store_error
from squad.store.retention import Removed, kept_back, would_leave
from squad.store.tidying import Pages, pages
from squad.store.upkeep import copying
from squad.store.upkeep.course import KEY, Progress, read
from squad.store.upkeep.terms import reading_keeper

_TIMES = ("created_at", "at", "since", "ended_at", "fired_at", "applied_at")  # a table's age is by the first it has


@dataclass(frozen=True, slots=True)
class Table:
    """``oldest`` is the time of its first row, ISO 8601; None where rows have no time."""

    name: str
    rows: int
    oldest: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """What would leave now; ``kept_back``: messages old enough, of whose tree something is open, or not sent."""

    removed: Removed
    kept_back: int


@dataclass(frozen=True, slots=True)
class Report:
    """``log`` are bytes of the write-ahead log. ``next_planned`` is in seconds since the epoch, and may have passed."""

    pages: Pages
    log: int
    tables: list[Table]
    progress: Progress
    next_planned: float | None
    due: Due


def report(path: Path) -> Report:
    """Of the database at ``path``. Raises StoreError."""
    with _opened(path) as connection:
        found = _progress(connection)
        times = found.terms.timetable()
        return Report(
            pages=pages(connection),
            log=_size(path.with_name(f"{path.name}-wal")),
            tables=_tables(connection),
            progress=found,
            next_planned=None if times is None or found.mark is None else times.after(found.mark),
            due=_due(connection, found),
        )


def due(path: Path) -> Due:
    """Likewise only what would leave."""
    with _opened(path) as connection:
        return _due(connection, _progress(connection))


def progress(path: Path) -> Progress:
    """Likewise only what is under way and what was."""
    with _opened(path) as connection:
        return _progress(connection)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """In a read transaction, so that all is of one moment. What SQLite raises becomes a StoreError."""
    if not path.is_file():
        raise StoreError(
            f"there is no database {path}", hint="start a squad with `squad start`, or name a home: --home DIR"
        )
    with closing(copying.reading(path)) as connection:
        try:
            connection.execute("BEGIN")
            _must_be_current(connection, path)
            yield connection
        except sqlite3.Error as error:
            raise store_error(error, path) from None


def _must_be_current(connection: sqlite3.Connection, path: Path) -> None:
    known = len(migrations.MIGRATIONS)
    if (found := copying.known_schema(connection, path)) < known:
        raise StoreError(
            f"{path} was written by an older Squad (schema {found}; this one reads {known})",
            hint="start the squad once: `squad start` brings it up to date",
        )


def _progress(connection: sqlite3.Connection) -> Progress:
    return read(reading_keeper(connection)(KEY))


def _due(connection: sqlite3.Connection, found: Progress) -> Due:
    limits = found.terms.limits(time.time(), reading_keeper(connection))
    return Due(would_leave(connection, limits), kept_back(connection, limits))


def _tables(connection: sqlite3.Connection) -> list[Table]:
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    return [_table(connection, name) for (name,) in connection.execute(sql).fetchall()]


def _table(connection: sqlite3.Connection, name: str) -> Table:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
    rows = connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]  # noqa: S608 - names of ours
    at = next((column for column in _TIMES if column in columns), None)
    oldest = None
    if at is not None and columns[0] == "id":
        first = connection.execute(f"SELECT {at} FROM {name} ORDER BY id LIMIT 1").fetchone()  # noqa: S608
        oldest = None if first is None else str(first[0])
    return Table(name, rows, oldest)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
