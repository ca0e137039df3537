"""SQLite's errors as ours: what failed, which file, and what to do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from squad.errors import StoreError

_KNOWN = {
    sqlite3.SQLITE_NOTADB: ("is not a database", "move it away; the squad then starts with an empty one"),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "stop the squad, save what can be read with `sqlite3 {path} .recover`, and move the file away",
    ),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "free some space; nothing that was accepted is lost"),
    sqlite3.SQLITE_BUSY: (
        "stayed locked by another process",
        "close the program that has it open for writing (`fuser {path}` names it)",
    ),
    sqlite3.SQLITE_READONLY: ("cannot be written", "check who owns it: `ls -l {path}`"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that the folder exists and who owns it: `ls -ld {folder}`"),
    sqlite3.SQLITE_IOERR: ("could not be read or written: the disk reported an error", "look at `dmesg`"),
}


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """A StoreError for what SQLite raised while working on the database at ``path``."""
    code = getattr(error, "sqlite_errorcode", None)  # absent when the module itself, not SQLite, objected
    what, hint = _KNOWN.get((code or 0) & 0xFF, (f"failed: {error}", ""))
    return StoreError(f"the database {path} {what}", hint=hint.format(path=path, folder=path.parent))
