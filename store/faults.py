"""SQLite's errors as ours: what failed, which file, and what to do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from squad.errors import DamagedError, LockedError, StoreError

_KNOWN = {
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "free some space; nothing that was accepted is lost"),
    sqlite3.SQLITE_BUSY: (
        "stayed locked by another process",
        "close the program that has it open for writing (`fuser {path}` names it)",
    ),
    sqlite3.SQLITE_READONLY: ("cannot be written", "check who owns it: `ls -l {path}`"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that the folder exists and who owns it: `ls -ld {folder}`"),
    sqlite3.SQLITE_IOERR: (
        "could not be read or written: the disk reported an error",
        "look at `dmesg`, and at `findmnt -T {folder}`, which says `ro` for a disk that cannot be written any more",
    ),
}
_DAMAGED = {sqlite3.SQLITE_NOTADB: "is no database", sqlite3.SQLITE_CORRUPT: "is damaged"}
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """A StoreError for what SQLite raised while working on the database at ``path``."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # absent when the module itself, not SQLite, objected
    if code in _DAMAGED:
        return DamagedError(f"the database {path} {_DAMAGED[code]}", hint=damage_hint(path))
    what, hint = _KNOWN.get(code, (f"failed: {error}", ""))
    kind = LockedError if code in _LOCKED else StoreError
    return kind(f"the database {path} {what}", hint=hint.format(path=path, folder=path.parent))


def damage_hint(path: Path) -> str:
    """What to do about a database that is damaged."""
    from squad.store.upkeep.latest import latest

    newest = latest(path)
    if newest is not None:
        back = f"squad maintenance restore {newest.path} (a backup of {newest.at})"
    else:
        back = (
            "squad maintenance restore FILE if there is a backup;"
            f" without one save what can be read, sqlite3 {path} .recover, and move the file away"
        )
    return f"squad stop; squad maintenance check says what is wrong; then {back}"
