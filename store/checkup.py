"""Whether a database is whole, for ``squad doctor``. It only reads."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from squad.store import migrations
from squad.store.faults import store_error

_STEPS = 10_000  # of SQLite's machine between two looks at the clock: well under a millisecond
_MOST = 3  # faults named


@dataclass(frozen=True, slots=True)
class Checkup:
    """``schema`` is the database's, ``known`` this program's. ``whole``: all of it was looked at in time."""

    schema: int
    known: int
    damage: tuple[str, ...]
    whole: bool


def checkup(path: Path, seconds: float) -> Checkup:
    """Look a database through for damage, for as long as ``seconds``.

    Raises NewerDatabaseError, and StoreError for what is no database of ours or cannot be read.
    """
    deadline = time.monotonic() + seconds
    schema, known = 0, len(migrations.MIGRATIONS)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=seconds)) as connection:
            schema = migrations.check(connection, path)
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({_MOST})")]
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return Checkup(schema, known, (), whole=False)
        raise store_error(error, path) from None
    damage = tuple(line.replace("\n", " ") for line in found if line != "ok")
    return Checkup(schema, known, damage, whole=True)
