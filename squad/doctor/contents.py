"""The database, and who else writes to it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from squad.doctor.finding import Finding, fail, ok, warn
from squad.doctor.machine import has_wal_defect
from squad.doctor.subject import Subject
from squad.durations import format_size
from squad.errors import StoreError
from squad.store.checkup import checkup
from squad.store.faults import damage_hint

_PATIENCE = 5.0  # seconds for SQLite's own check
_NAMED = 3  # alerts that are said in full
_LONG_LOG = 500_000_000  # bytes; a write-ahead log that checkpoints keep up with is a few MB


def database(subject: Subject) -> Finding | None:
    path = subject.home.database
    if not path.exists():
        return ok("there is none yet") if subject.exists else None
    try:
        found = checkup(path, _PATIENCE)
    except StoreError as error:
        return fail(error.message, error.hint)
    size = format_size(path.stat().st_size)
    if found.damage:
        return fail(
            f"{path} is damaged: {'; '.join(found.damage)}",
            damage_hint(path),
        )
    if not found.whole:
        return warn(
            f"{size}: too large to be checked within {_PATIENCE:g} s; nothing wrong was found until then",
            "squad maintenance check",
        )
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size > _LONG_LOG:
        return warn(
            f"its write-ahead log has {format_size(log.stat().st_size)}: a program reads from it without end",
            f"fuser {path} names the programs that have it open",
        )
    newer = f", which the next start brings up to {found.known}" if found.schema < found.known else ""
    return ok(f"{size}, schema {found.schema}{newer}, no damage")


def alerts(subject: Subject) -> Finding | None:
    """What the squad itself says is wrong, and what of that nobody was told."""
    from squad.store import alerts
    from squad.store.database import open_reader

    path = subject.home.database
    if not path.exists():
        return None
    try:
        with open_reader(path) as pool, pool.connection() as database:
            firing, undelivered = alerts.firing(database), alerts.undelivered(database)
    except StoreError:
        return None  # that is said of the database, or it is of a version without alerts
    if undelivered:
        names = ", ".join(f"{one.messages} by {one.agent}" for one in undelivered)
        first = undelivered[0]
        error = (first.error.splitlines() or [""])[0]
        return warn(f"alerts could not be told: {names}; last: {error}", f"squad dead list --agent {first.agent}")
    if firing:
        named = "; ".join(one.summary for one in firing[:_NAMED])
        more = f"; and {len(firing) - _NAMED} more" if len(firing) > _NAMED else ""
        return warn(f"{named}{more}", "squad alerts list")
    return ok("none goes on, and all were told")


def writers(subject: Subject) -> Finding | None:
    path = subject.home.database
    if not path.exists():
        return None
    storage = _storage(subject.home.path) if subject.launcher is not None else 0
    outside = sorted(pid for pid in _writing(path) if pid != storage)
    if not outside:
        return ok("no other program has the database open for writing")
    named = ", ".join(f"{_program(pid)} (process {pid})" for pid in outside)
    danger = " With this version of SQLite that can damage it" if has_wal_defect(sqlite3.sqlite_version_info) else ""
    return warn(
        f"the database is open for writing in {named}.{danger}",
        f"open it for reading only: sqlite3 'file:{path}?mode=ro'",
    )


def _storage(home: Path) -> int:
    """The process that storage.lock names, which is the storage while a squad runs; 0 when there is none."""
    try:
        return int((home / "storage.lock").read_text())
    except (OSError, ValueError):
        return 0


def _writing(path: Path) -> Iterator[int]:
    """The processes that have a file open for writing, of those that this user may look into; not this one."""
    wanted = path.stat()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == str(os.getpid()):
            continue
        try:
            if any(_writes(entry, number.name, wanted) for number in (entry / "fd").iterdir()):
                yield int(entry.name)
        except OSError:  # it ended, or it is another user's
            continue


def _writes(process: Path, number: str, wanted: os.stat_result) -> bool:
    try:
        if not os.path.samestat((process / "fd" / number).stat(), wanted):
            return False
        facts = (process / "fdinfo" / number).read_text()
    except OSError:  # closed meanwhile
        return False
    flags = next(line for line in facts.splitlines() if line.startswith("flags:"))
    return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY


def _program(pid: int) -> str:
    """The program's name alone: its arguments may be nobody's business."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "one that has ended"
