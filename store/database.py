"""Reading the database: a pool of connections that cannot write, whether the squad runs or not.

Only the writer writes and checkpoints; every other connection is opened ``mode=ro``, which also keeps clear of a bug
in older versions of SQLite (3.7.0 to 3.51.2) that can damage a WAL database written from two connections.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import peewee
from playhouse.pool import PooledSqliteDatabase

from squad.errors import BackpressureError, StoreError
from squad.store import migrations
from squad.store.faults import store_error

if TYPE_CHECKING:
    from squad.config.schema import StoreConfig

_log = logging.getLogger(__name__)

_CROWDED = 0.8  # of the threads that may wait: a warning
_CALM = 0.5  # of that: the next time that it is crowded is told of again


@dataclass(frozen=True, slots=True)
class PoolStats:
    """How a pool is doing: its bounds, then how it is now, then what it has counted since it was opened."""

    size: int
    most_waiting: int
    in_use: int
    idle: int
    waiting: int
    opened: int
    replaced: int
    crowded: int
    """How often so many threads came to wait that it was warned of."""
    timeouts: int
    refused: int


class _Connection(sqlite3.Connection):
    """Remembers which file it reads: the name may lead to another one later."""

    file: tuple[int, int] | None = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class ReadOnlyDatabase(PooledSqliteDatabase):  # type: ignore[misc]  # playhouse has no types
    """Peewee's pool, with a health check that tries the connection and looks whether the file is still the same."""

    def __init__(self, path: Path, size: int, busy_timeout: int, cache_size: int) -> None:
        super().__init__(
            f"file:{quote(str(path.absolute()))}?mode=ro",
            uri=True,
            max_connections=size,
            timeout=None,  # who waits, and how long, is Pool's to say; below it is SQLite's own
            pragmas=(("busy_timeout", busy_timeout), ("cache_size", cache_size), ("query_only", 1)),
            check_same_thread=False,  # a connection serves one thread at a time, not the same one for ever
            factory=_Connection,
        )
        self.path = path
        self.opened = 0
        self.replaced = 0

    def _add_conn_hooks(self, conn: _Connection) -> None:
        super()._add_conn_hooks(conn)
        conn.file = _identity(self.path)
        self.opened += 1

    def _is_closed(self, conn: _Connection) -> bool:
        try:
            conn.execute("SELECT version FROM schema_version LIMIT 1").fetchone()
            healthy = conn.file == _identity(self.path)
        except sqlite3.Error:
            healthy = False
        if not healthy:
            self._lost()
            self._close_raw(conn)
        return not healthy

    def _can_reuse(self, conn: _Connection) -> bool:
        """Asked when it comes back: one that broke while it was used does not go back into the pool."""
        reusable: bool = super()._can_reuse(conn)
        if not reusable:
            self._lost()
        return reusable

    def _lost(self) -> None:
        _log.warning("a connection to %s was broken and is replaced", self.path)
        self.replaced += 1

    def version(self) -> int:
        """Of the data: another number once another connection has committed. Costs no read of the database."""
        found: int = self.execute_sql("PRAGMA data_version").fetchone()[0]
        return found

    def numbers(self) -> tuple[int, int]:
        """Connections in use and idle."""
        return len(self._in_use), len(self._connections)


class Pool:
    """Connections for reading. Each ``connection()`` belongs to the thread that took it.

    ``wait`` is in seconds, ``busy_timeout`` in milliseconds, ``cache_size`` as SQLite has it. Raises StoreError when
    there is no usable database, NewerDatabaseError when a newer Squad wrote it.
    """

    def __init__(  # noqa: PLR0913 - each is one bound of the pool
        self, path: str | Path, *, size: int, wait: float, waiting: int, busy_timeout: int, cache_size: int
    ) -> None:
        self.path = Path(path)
        self._size = size
        self._wait = wait
        self._most_waiting = waiting
        self._slots = threading.Semaphore(size)
        self._counts = threading.Lock()
        self._waiting = 0
        self._is_crowded = False
        self._crowded = 0
        self._timeouts = 0
        self._refused = 0
        if not self.path.exists():
            raise _never_ran(self.path)
        self._database = ReadOnlyDatabase(self.path, size, busy_timeout, cache_size)
        try:
            with self.connection() as database:
                self._check(database.connection())  # type: ignore[no-untyped-call]
        except BaseException:
            self.close()
            raise

    def _check(self, connection: sqlite3.Connection) -> None:
        known = len(migrations.MIGRATIONS)
        found = migrations.check(connection, self.path)
        if found == 0:
            raise _never_ran(self.path)
        if found < known:
            raise StoreError(
                f"{self.path} was written by an older Squad (schema {found}; this one reads {known})",
                hint="start the squad once: `squad start` brings it up to date",
            )

    @contextlib.contextmanager
    def connection(self) -> Iterator[peewee.Database]:
        """A healthy connection, as the peewee database that queries are executed on; the same one when nested.

        Raises BackpressureError when none became free in time or too many threads wait already, and StoreError for
        what SQLite reports while it is used.
        """
        if not self._database.is_closed():  # this thread has one
            yield self._database
            return
        self._take_slot()
        try:
            self._database.connect()
            try:
                yield self._database
            finally:
                self._database.close()
        except peewee.PeeweeException as error:
            cause = getattr(error, "orig", None)  # what peewee wrapped
            if not isinstance(cause, sqlite3.Error):
                raise
            raise store_error(cause, self.path) from error
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error
        finally:
            self._slots.release()

    def _take_slot(self) -> None:
        if self._slots.acquire(blocking=False):
            return
        with self._counts:
            if self._waiting >= self._most_waiting:
                self._refused += 1
                raise BackpressureError(
                    f"all {self._size} connections to {self.path} are in use and {self._waiting} threads wait already",
                    hint="try again later, or raise store.pool.size in the configuration",
                )
            self._waiting += 1
            self._look_at_the_crowd()
        got = False
        try:
            got = self._slots.acquire(timeout=self._wait)
        finally:
            with self._counts:
                self._waiting -= 1
                self._look_at_the_crowd()
                self._timeouts += not got
        if not got:
            raise BackpressureError(
                f"none of the {self._size} connections to {self.path} became free within {self._wait:g} s",
                hint="try again later, or raise store.pool.size in the configuration",
            )

    def _look_at_the_crowd(self) -> None:
        """Warn once when many wait, and again only after most of them were served. With ``_counts`` held."""
        many = max(1, int(self._most_waiting * _CROWDED))
        if self._is_crowded:
            self._is_crowded = self._waiting > many * _CALM
        elif self._waiting >= many:
            self._is_crowded = True
            self._crowded += 1
            _log.warning("%d of at most %d threads wait for %s", self._waiting, self._most_waiting, self.path)

    def stats(self) -> PoolStats:
        in_use, idle = self._database.numbers()
        with self._counts:
            return PoolStats(
                size=self._size,
                most_waiting=self._most_waiting,
                in_use=in_use,
                idle=idle,
                waiting=self._waiting,
                opened=self._database.opened,
                replaced=self._database.replaced,
                crowded=self._crowded,
                timeouts=self._timeouts,
                refused=self._refused,
            )

    def close(self) -> None:
        """Close all connections, those in use included."""
        self._database.close_all()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_pool(path: str | Path, config: StoreConfig) -> Pool:
    """The pool that the configuration describes."""
    return Pool(
        path,
        size=config.pool.size,
        wait=config.pool.wait,
        waiting=config.pool.waiting,
        busy_timeout=config.busy_timeout,
        cache_size=config.cache_size,
    )


def open_reader(path: str | Path) -> Pool:
    """One connection for one short command, which needs no configuration."""
    return Pool(path, size=1, wait=0, waiting=0, busy_timeout=5000, cache_size=-2000)


def _never_ran(path: Path) -> StoreError:
    return StoreError(
        f"no squad has run here yet: there is no database in {path.parent}",
        hint="start one with `squad start`, or name the home of another with --home DIR",
    )


def fetch(database: peewee.Database, sql: str, *parameters: object) -> list[Any]:
    """All rows of a statement that is written by hand."""
    found: list[Any] = database.execute_sql(sql, parameters).fetchall()  # type: ignore[no-untyped-call]
    return found
