"""Numbered migrations, run by the writer when it opens a database.

A migration is one module with ``up(connection)``. It runs in one transaction together with the row in
``schema_version`` that records it, so that an interrupted one leaves the old version behind, whole. Its place in
``MIGRATIONS`` is its number, from 1; the highest number in ``schema_version`` is the version of the database.

(``playhouse.migrations`` makes its own table before the first migration runs, after which ``auto_vacuum`` can no
longer be set; and it knows names, not versions, so that it does not notice a database newer than the program.)
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from squad.errors import NewerDatabaseError, StoreError
from squad.store.migrations import (
    m0001_initial,
    m0002_ends_and_replies,
    m0003_totals,
    m0004_machine_samples,
    m0005_ends_of_processes,
    m0006_event_subjects,
    m0007_traceparent,
    m0008_archive,
    m0009_metrics,
    m0010_alerts,
    m0011_queued,
)
from squad.store.times import iso

Migration = Callable[[sqlite3.Connection], None]

MIGRATIONS: tuple[Migration, ...] = (
    m0001_initial.up,
    m0002_ends_and_replies.up,
    m0003_totals.up,
    m0004_machine_samples.up,
    m0005_ends_of_processes.up,
    m0006_event_subjects.up,
    m0007_traceparent.up,
    m0008_archive.up,
    m0009_metrics.up,
    m0010_alerts.up,
    m0011_queued.up,
)

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_version (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL
)
"""


def version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of an open database, 0 for an empty one.

    Raises StoreError when it holds tables but was not made by Squad.
    """
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return 0
    if not {"schema_version", "tasks"} <= tables:
        raise StoreError(
            f"{path} is a database of another program: it holds {', '.join(sorted(tables)[:5])}",
            hint="choose another home with --home DIR, or move that file away",
        )
    return int(connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_version").fetchone()[0])


def check(connection: sqlite3.Connection, path: Path, known: int = len(MIGRATIONS)) -> int:
    """The version of an open database. Raises NewerDatabaseError when this program does not know it."""
    found = version(connection, path)
    if found > known:
        raise NewerDatabaseError(
            f"{path} was written by a newer Squad (schema {found}; this one knows {known})",
            hint="install that version of Squad again, or choose another home with --home DIR",
        )
    return found


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring an open database (autocommit, nothing begun) up to date; how many migrations ran.

    Raises NewerDatabaseError, StoreError, and whatever SQLite raises; the database is then as the last migration
    that went through left it.
    """
    found = check(connection, path, len(migrations))
    for number, up in enumerate(migrations[found:], start=found + 1):
        connection.execute("BEGIN")  # deferred: the first migration sets auto_vacuum, too late once a page is written
        try:
            up(connection)
            connection.execute(_TABLE)
            connection.execute(
                "INSERT INTO schema_version (version, name, applied_at) VALUES (?, ?, ?)",
                (number, up.__module__.rpartition(".")[2], iso(time.time())),
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return len(migrations) - found
