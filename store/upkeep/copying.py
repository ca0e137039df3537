"""A copy of a database that may be in use, by SQLite's own backup interface.

It is a copy of one moment: a read transaction around all its steps keeps the source as it is for us, while the writer
goes on (in WAL mode nobody waits for a reader). Without that, each commit would make SQLite begin anew. The write-ahead
log cannot be used again from its beginning meanwhile, so it grows by what is written.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from squad.durations import format_size
from squad.errors import StoreError
from squad.store import migrations
from squad.store.faults import store_error

_PAGES = 200  # copied in one go
_LEAST_PAUSE, _LONGEST_PAUSE = 0.001, 0.1  # seconds between two of them, for whoever else needs processor and disk
_SYNCED = 20  # times that so many pages are copied before they are put on the disk: all at the end would hold up others
_PATIENCE = 5.0  # seconds for a lock
_COMPANIONS = ("-journal", "-wal", "-shm")  # files that SQLite makes beside a database


@dataclass(frozen=True, slots=True)
class Copy:
    path: Path
    bytes: int
    schema: int
    seconds: float


def copy(source: Path, target: Path, *, force: bool = False, still: bool = False) -> Copy:
    """Copy a database to a file of its own (0600), which appears under its name once it is whole, checked and on disk.

    ``still``: nobody else uses the source. Raises StoreError: ``target`` exists (and not ``force``), its folder is not
    there or not ours to write, the disk is full, the source cannot be read or is no database of Squad's. Nothing is
    left of what was begun then.
    """
    began = time.monotonic()
    _must_be_free(source, target, force)
    with closing(reading(source, still=still)) as connection:
        try:
            connection.execute("BEGIN")
            schema = known_schema(connection, source)
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            size = pages * connection.execute("PRAGMA page_size").fetchone()[0]
        except sqlite3.Error as error:
            raise store_error(error, source) from None
        _must_have_room(target.parent, size)
        with _partial(target) as partial:
            _fill(connection, source, partial)
            _must_be_sound(partial, target)
            if target.exists() and not force:
                raise _exists(target)
            try:
                partial.replace(target)
                sync(target.parent)
            except OSError as error:
                raise _unwritable(target, error) from None
    return Copy(target, size, schema, time.monotonic() - began)


def reading(path: Path, *, still: bool = False) -> sqlite3.Connection:
    """A connection that cannot write. A file that is ``still`` (nobody writes to it) needs no other files beside it."""
    alone = still and not path.with_name(f"{path.name}-wal").exists()
    uri = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if alone else ''}"
    try:
        return sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)
    except sqlite3.Error as error:
        raise store_error(error, path) from None


def known_schema(connection: sqlite3.Connection, path: Path) -> int:
    """The version of a database of Squad's. Raises StoreError for another one, NewerDatabaseError for a newer one."""
    found = migrations.check(connection, path)
    if found == 0:
        raise StoreError(f"{path} is an empty database: there is nothing in it", hint="name the file of a backup")
    return found


def sync(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _must_be_free(source: Path, target: Path, force: bool) -> None:
    if not source.is_file():
        raise StoreError(f"there is no database {source}", hint="name the home of a squad that was started: --home DIR")
    if not target.parent.is_dir():
        raise StoreError(
            f"there is no folder {target.parent} for the backup", hint=f"make it first: mkdir -p {target.parent}"
        )
    if target.is_dir():
        raise StoreError(f"{target} is a folder", hint=f"name a file in it: {target / 'squad-backup.db'}")
    if target.exists() and source.samefile(target):
        raise StoreError(f"{target} is the database itself", hint="name another file")
    if target.exists() and not force:
        raise _exists(target)


def _exists(target: Path) -> StoreError:
    return StoreError(
        f"{target} exists already; nothing was done", hint="name another file, or replace it with --force"
    )


def _must_have_room(folder: Path, size: int) -> None:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < size:
        raise StoreError(
            f"the backup needs {format_size(size)}, and {format_size(free)} are free in {folder}; nothing was done",
            hint=f"make room there, or name a file on another disk: df -h {folder}",
        )


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """An empty file beside ``target``, which is gone afterwards if it was not renamed."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unwritable(target, error) from None
    try:
        yield partial
    finally:
        for companion in ("", *_COMPANIONS):
            with contextlib.suppress(OSError):
                partial.with_name(partial.name + companion).unlink()


def _unwritable(target: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{target} cannot be written: {error.strerror}", hint=f"look at `ls -ld {target.parent}; df -h {target.parent}`"
    )


def _fill(connection: sqlite3.Connection, source: Path, partial: Path) -> None:
    try:
        descriptor = os.open(partial, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with closing(sqlite3.connect(partial, isolation_level=None)) as copied:
                copied.execute("PRAGMA journal_mode = OFF")  # a copy that fails is thrown away
                copied.execute("PRAGMA synchronous = OFF")  # it is synced here
                connection.backup(copied, pages=_PAGES, progress=_pace(descriptor))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except sqlite3.Error as error:
        damaged = (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        if damaged:
            raise store_error(error, source) from None
        raise StoreError(
            f"the copy of {source} could not be finished in {partial.parent}: {error}; nothing is left of it",
            hint=f"make room there, or name a file on another disk: df -h {partial.parent}",
        ) from None
    except OSError as error:
        raise _unwritable(partial, error) from None


def _pace(descriptor: int) -> Callable[[int, int, int], None]:
    """Called after each step: a pause as long as the step took, so that half of the time is left to others."""
    steps, last = 0, time.monotonic()

    def pause(status: int, remaining: int, total: int) -> None:
        nonlocal steps, last
        steps += 1
        if steps % _SYNCED == 0:
            os.fdatasync(descriptor)
        time.sleep(min(max(time.monotonic() - last, _LEAST_PAUSE), _LONGEST_PAUSE))
        last = time.monotonic()

    return pause


def _must_be_sound(partial: Path, target: Path) -> None:
    with closing(reading(partial, still=True)) as connection:
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
        except sqlite3.Error as error:
            found = [str(error)]
    if found != ["ok"]:
        raise StoreError(
            f"the copy that was to be {target} is damaged ({found[0]}); nothing is left of it",
            hint="squad maintenance check --full says whether the database itself is",
        )
