"""A backup in the place of the database.

The database that was there is set aside under another name, with its log, and never deleted. While the names change
there is a file ``squad.db.restoring``, and a start refuses: with half of the names changed SQLite would take the log of
one database for that of another.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from squad.errors import StoreError
from squad.store.faults import store_error
from squad.store.upkeep import copying

_PARTS = ("", "-wal", "-shm")  # a database is all of these


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backup that can be restored: ``newest`` is when the last of its messages was sent, ISO 8601."""

    path: Path
    schema: int
    messages: dict[str, int]  # by status
    newest: str | None


@dataclass(frozen=True, slots=True)
class Restored:
    """``aside``: the database that was there, under the name that it has now; None when there was none."""

    database: Path
    aside: Path | None
    bytes: int
    seconds: float


def candidate(file: Path, database: Path) -> Candidate:
    """What is in the file. Raises StoreError: it is not there, no database of ours, a newer one, damaged."""
    if not file.is_file():
        raise StoreError(f"there is no file {file}", hint="name a backup that squad maintenance backup has made")
    if database.exists() and file.samefile(database):
        raise StoreError(f"{file} is the database itself", hint="name a backup")
    with closing(copying.reading(file, still=True)) as connection:
        try:
            schema = copying.known_schema(connection, file)
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if damage != "ok":
                raise StoreError(f"the backup {file} is damaged: {damage}", hint="name another one")
            counts = dict(connection.execute("SELECT status, COUNT(*) FROM tasks GROUP BY status").fetchall())
            newest = connection.execute("SELECT created_at FROM tasks ORDER BY id DESC LIMIT 1").fetchone()
        except sqlite3.Error as error:
            told = store_error(error, file)
            raise StoreError(told.message, hint="name another backup") from None
    return Candidate(file, schema, counts, newest[0] if newest else None)


def restore(found: Candidate, database: Path) -> Restored:
    """Copy it, set the database aside, and put the copy in its place. Nobody may have the database open."""
    began = time.monotonic()
    ready = marker(database)
    copy = copying.copy(found.path, ready, force=True, still=True)
    try:
        aside = _set_aside(database)
        ready.replace(database)
        copying.sync(database.parent)
    except OSError as error:
        raise StoreError(
            f"the names in {database.parent} could not be changed: {error.strerror}",
            hint="do the same again; no squad starts there until it is done",
        ) from None
    return Restored(database, aside, copy.bytes, time.monotonic() - began)


def marker(database: Path) -> Path:
    """The file that is there while the names change."""
    return database.with_name(f"{database.name}.restoring")


def must_be_over(database: Path) -> None:
    """Raises StoreError when a restore was interrupted while the names changed."""
    if marker(database).exists():
        raise StoreError(
            f"a restore in {database.parent} was interrupted",
            hint="do it again: squad maintenance restore FILE; what was there is in files named squad.db.before-…",
        )


def _set_aside(database: Path) -> Path | None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    name, number = f"{database.name}.before-{stamp}", 1
    while any(database.with_name(name + part).exists() for part in _PARTS):
        number += 1
        name = f"{database.name}.before-{stamp}-{number}"
    there = database.exists()
    for part in _PARTS:
        with contextlib.suppress(FileNotFoundError):
            database.with_name(database.name + part).rename(database.with_name(name + part))
    copying.sync(database.parent)
    return database.with_name(name) if there else None
