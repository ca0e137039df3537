"""The one connection that writes, and every statement that the runtime writes with.

All of SQLite's own SQL for writing is here, in ``settling`` and in ``migrations``. A Writer belongs to one thread at
a time. Who opens one holds the lock of ``squad.store.lock`` first.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from squad.errors import StoreError
from squad.store import settling
from squad.store.faults import store_error
from squad.store.migrations import migrate
from squad.store.rows import Lease, NewTask, Outcome, Submitted
from squad.store.settling import BAD_ROW, INSERT, Policy, Settlement, Settling, pending, savepoint, to_insert
from squad.store.times import iso

if TYPE_CHECKING:
    from squad.config.schema import StoreConfig

__all__ = ["Policy", "Settlement", "Writer"]

_LEASE = "id, fence, task_id, sender, type, payload, priority, attempts + 1, COALESCE(root_id, task_id)"

_PICK = f"""
    SELECT {_LEASE} FROM tasks
    WHERE recipient = ? AND status = 'queued' AND not_before IS NULL
    ORDER BY priority, id
    LIMIT ?
"""  # noqa: S608 - a constant
_CLAIM = "UPDATE tasks SET status = 'running', lease_owner = ?, fence = ?, claimed_at = ? WHERE id = ?"
_HELD_BY = f"SELECT {_LEASE} FROM tasks WHERE status = 'running' AND lease_owner = ? ORDER BY priority, id"  # noqa: S608
_DUE = """
    UPDATE tasks INDEXED BY tasks_delayed SET not_before = NULL
    WHERE status = 'queued' AND not_before IS NOT NULL AND not_before <= ?
    RETURNING recipient
"""
_NEXT_DUE = """
    SELECT MIN(not_before) FROM tasks INDEXED BY tasks_delayed
    WHERE status = 'queued' AND not_before IS NOT NULL
"""
_OPEN_TREE = """
    SELECT 1 FROM tasks
    WHERE root_id = ? AND completed_at IS NULL AND status IN ('queued', 'running')
    LIMIT 1
"""  # completed_at is in the condition of the index
_OPEN_BRANCH = """
    WITH RECURSIVE branch (task_id, status) AS (
        SELECT task_id, status FROM tasks WHERE task_id = ?
        UNION
        SELECT tasks.task_id, tasks.status FROM branch JOIN tasks ON tasks.parent_id = branch.task_id
    )
    SELECT 1 FROM branch WHERE status IN ('queued', 'running') LIMIT 1
"""
_PUT = """
    INSERT INTO keeper (key, value, updated_at) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""


class _Partly(Exception):  # noqa: N818 - not an error
    """Some messages of a submit were there already."""


class Writer:
    """Opens the database at ``path``, makes it when missing (0600), and brings its schema up to date.

    Raises StoreError when the file cannot be used and NewerDatabaseError when it is from a newer Squad. Methods that
    change something work only inside ``transaction()``; times are seconds since the epoch.
    """

    def __init__(self, path: str | Path, config: StoreConfig) -> None:
        self.path = Path(path)
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError(
                f"the database {self.path} cannot be opened: {error.strerror}",
                hint=f"check that the folder exists and who owns it: `ls -ld {self.path.parent}`",
            ) from None
        # Used on one thread at a time, not always the one that opened it.
        self._connection = sqlite3.connect(
            self.path, timeout=config.busy_timeout / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            self._set_up(config)
        except sqlite3.Error as error:
            self._connection.close()
            raise store_error(error, self.path) from error
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self, config: StoreConfig) -> None:
        execute = self._connection.execute
        migrate(self._connection, self.path)  # before WAL: auto_vacuum is set while the file is empty
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA synchronous = {config.synchronous}")
        execute(f"PRAGMA cache_size = {config.cache_size}")
        execute(f"PRAGMA wal_autocheckpoint = {config.wal_autocheckpoint}")
        execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside becomes durable together at the end, or none of it. Does not nest.

        Waits up to ``busy_timeout`` for a foreign lock. Raises StoreError when SQLite fails (disk full, damage, a lock
        that stays); nothing of the transaction has effect then, nor when anything else escapes from it.
        """
        if self._begun():
            raise RuntimeError("a transaction is open already")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._begun():  # SQLite itself rolls back on some errors
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    # -- messages ---------------------------------------------------------------------------------------------------

    def submit(self, rows: Sequence[NewTask], now: float) -> list[Submitted]:
        """Store messages; for each, in order, the id it is stored under.

        A message whose ``task_id`` is stored already, or whose (recipient, key) is, is not stored again. Raises
        StoreError naming the first row that cannot be stored; none of ``rows`` is stored then, and the transaction
        can go on.
        """
        self._must_be_open()
        at = iso(now)
        values = [to_insert(row, pending(row.not_before, now), at) for row in rows]
        with contextlib.suppress(*BAD_ROW, _Partly), savepoint(self._connection):
            if self._connection.executemany(INSERT, values).rowcount < len(rows):
                raise _Partly
            return [Submitted(row.task_id, False) for row in rows]
        with savepoint(self._connection):  # something is at fault or there already: find out which
            return [self._submit_one(row, parameters) for row, parameters in zip(rows, values, strict=True)]

    def _submit_one(self, row: NewTask, parameters: tuple[object, ...]) -> Submitted:
        try:
            if self._connection.execute(INSERT, parameters).rowcount:
                return Submitted(row.task_id, False)
        except BAD_ROW as error:
            raise StoreError(f"the message {row.task_id} to {row.recipient} cannot be stored: {error}") from error
        stored = self._connection.execute(
            "SELECT task_id FROM tasks WHERE task_id = ?1 UNION ALL"
            " SELECT task_id FROM tasks WHERE recipient = ?2 AND key = ?3 LIMIT 1",
            (row.task_id, row.recipient, row.key),
        ).fetchone()
        return Submitted(stored[0], True)

    def claim(self, recipient: str, worker: str, limit: int, now: float) -> list[Lease]:
        """Up to ``limit`` ready messages for ``recipient``, by priority, then age, leased to ``worker``."""
        self._must_be_open()
        picked = self._connection.execute(_PICK, (recipient, limit)).fetchall()
        if not picked:
            return []
        at = iso(now)
        self._connection.executemany(_CLAIM, [(worker, row[1] + 1, at, row[0]) for row in picked])
        return [Lease(row[0], row[1] + 1, *row[2:]) for row in picked]

    def settle(self, worker: str, agent: str, outcomes: Sequence[Outcome], now: float, policy: Policy) -> Settlement:
        """The ends of leases of ``worker``, which is (one of) the agent ``agent``, in order.

        An outcome counts only while its row is running under its fence and leased to ``worker``. ``done`` completes
        the message, stores what it sent and the agent's new state; a ``state`` that is not based on the stored version
        voids its outcome, and the message is queued again without a charge. An outcome that cannot be stored (a send
        with a bad priority) becomes an ``error`` that says so; the others stand.
        """
        self._must_be_open()
        return settling.settle(self._connection, worker, agent, outcomes, now, policy)

    def release(  # noqa: PLR0913, PLR0917 - the whole of what a crash says
        self, worker: str, in_hand: tuple[int, int] | None, reason: str, charge: bool, now: float, policy: Policy
    ) -> Settlement:
        """Take all leases from a worker that is gone. ``in_hand`` (row, fence) is charged a ``crash`` if ``charge``."""
        self._must_be_open()
        return Settling(self._connection, worker, "", now, policy).release(in_hand, reason, charge)

    def requeue(self, leases: Iterable[tuple[int, int, str]]) -> Settlement:
        """Put leases (row, fence, worker), as ``open_leases`` gave them, back into the queue, uncharged."""
        self._must_be_open()
        return settling.requeue(self._connection, leases)

    def due(self, now: float) -> tuple[set[str], float | None]:
        """Make delayed messages ready whose time has come: their recipients, and when the next one is due."""
        self._must_be_open()
        recipients = {row[0] for row in self._connection.execute(_DUE, (now,)).fetchall()}
        return recipients, self.next_due()

    # -- questions (inside a transaction or not) ----------------------------------------------------------------------

    def next_due(self) -> float | None:
        """When the first delayed message becomes ready; None when none waits."""
        found: float | None = self._connection.execute(_NEXT_DUE).fetchone()[0]
        return found

    def open_leases(self) -> list[tuple[int, int, str]]:
        """(row, fence, worker) of every running message."""
        return self._connection.execute("SELECT id, fence, lease_owner FROM tasks WHERE status = 'running'").fetchall()

    def leases(self, worker: str) -> list[Lease]:
        """What ``worker`` has claimed and not settled, to be delivered again."""
        return [Lease(*row) for row in self._connection.execute(_HELD_BY, (worker,))]

    def state(self, agent: str) -> tuple[int, str]:
        """(version, JSON text) of an agent's durable state; (0, "{}") when it never had one."""
        return settling.state_of(self._connection, agent)

    def ended(self, task_id: str) -> bool:
        """True when the message is stored and neither queued nor running."""
        row = self._connection.execute("SELECT status FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
        return row is not None and row[0] not in ("queued", "running")

    def tree_ended(self, task_id: str) -> bool:
        """True when the message has ended, and all that came of it. One index look-up for a root."""
        if not self.ended(task_id):
            return False
        root = self._connection.execute(
            "SELECT COALESCE(root_id, task_id) FROM tasks WHERE task_id = ?", (task_id,)
        ).fetchone()[0]
        if self._connection.execute(_OPEN_TREE, (root,)).fetchone() is None:
            return True
        return root != task_id and self._connection.execute(_OPEN_BRANCH, (task_id,)).fetchone() is None

    def get(self, key: str) -> str | None:
        """The JSON text kept under ``key``, or None."""
        row = self._connection.execute("SELECT value FROM keeper WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    # -- history ------------------------------------------------------------------------------------------------------

    def record_events(self, events: Sequence[tuple[str, str, str]], now: float) -> None:
        """Append (kind, subject, detail as JSON text)."""
        self._must_be_open()
        at = iso(now)
        self._connection.executemany(
            "INSERT INTO events (at, kind, subject, detail) VALUES (?, ?, ?, ?)", [(at, *event) for event in events]
        )

    def record_resizes(self, resizes: Sequence[tuple[str, int, int, str, str]], now: float) -> None:
        """Append (convoy, from, to, reason, readings as JSON text)."""
        self._must_be_open()
        at = iso(now)
        self._connection.executemany(
            "INSERT INTO convoy_resizes (at, convoy, from_size, to_size, reason, readings) VALUES (?, ?, ?, ?, ?, ?)",
            [(at, *resize) for resize in resizes],
        )

    def put(self, pairs: Sequence[tuple[str, str]], now: float) -> None:
        """Keep (key, JSON text), replacing what was kept under the same key."""
        self._must_be_open()
        at = iso(now)
        self._connection.executemany(_PUT, [(*pair, at) for pair in pairs])

    def _begun(self) -> bool:
        return self._connection.in_transaction

    def _must_be_open(self) -> None:
        if not self._begun():
            raise RuntimeError("only inside transaction()")
