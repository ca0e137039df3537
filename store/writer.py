"""The one connection that writes, and everything that the runtime writes with it.

All of SQLite's own SQL for writing is here, in the modules that this one calls, and in ``migrations``. A Writer belongs
to one thread at a time. Who opens one holds the lock of ``squad.store.lock`` first.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from squad.errors import StoreError
from squad.events import Event
from squad.store import claiming, desk, ends, over, recording, replies, settling
from squad.store.claiming import Wanted
from squad.store.desk import Dead
from squad.store.ends import Cancelling
from squad.store.faults import store_error
from squad.store.incidents import Incidents
from squad.store.inserting import BAD_ROW, Parameters, insert, put, to_insert
from squad.store.metrics.recorder import Recorder
from squad.store.migrations import migrate
from squad.store.rows import DeadFilter, Lease, NewTask, Running, Submitted
from squad.store.session import Session
from squad.store.settlement import Settlement
from squad.store.settling import Batch, Ceiling, Policy
from squad.store.tidying import Tidying
from squad.store.times import iso

if TYPE_CHECKING:
    from squad.config.schema import StoreConfig

__all__ = ["Ceiling", "Policy", "Settlement", "Writer"]

Question = TypeVar("Question", bound=Callable[..., Any])

_DUE = """
    UPDATE tasks INDEXED BY tasks_delayed SET ready_at = not_before, not_before = NULL
    WHERE status = 'queued' AND not_before IS NOT NULL AND not_before <= ?
    RETURNING recipient, priority
"""
_NEXT_DUE = (
    """
    SELECT MIN(not_before) FROM tasks INDEXED BY tasks_delayed
    WHERE status = 'queued' AND not_before IS NOT NULL
    """,
    """
    SELECT MIN(expires_at) FROM tasks INDEXED BY tasks_expiring
    WHERE status = 'queued' AND expires_at IS NOT NULL
    """,
    """
    SELECT MIN(reply_due) FROM tasks INDEXED BY tasks_reply_due
    WHERE completed_at IS NULL AND reply_due IS NOT NULL
    """,
)


def _asking(question: Question) -> Question:
    """For what may be asked outside a transaction: what SQLite raises there becomes a StoreError."""

    @functools.wraps(question)
    def ask(self: Writer, *arguments: Any) -> Any:
        try:
            return question(self, *arguments)
        except sqlite3.Error as error:
            if self._begun():
                raise  # the transaction sees to it
            raise store_error(error, self.path) from error

    return cast(Question, ask)


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
            self._session = Session(self._connection)
            self.tidying = Tidying(self._session, self.path)
            self.metrics = Recorder(self._session)
            self.incidents = Incidents(self._session)
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
        execute("PRAGMA temp_store = MEMORY")  # else what a savepoint could undo goes through a file

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
            begun = perf_counter()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._session.flush()
                over = perf_counter()
                self._connection.execute("COMMIT")
                self._session.commit()
                committed = perf_counter()
                self._session.metrics.took(committed - begun, committed - over)
            except BaseException:
                if self._begun():  # SQLite itself rolls back on some errors
                    self._connection.execute("ROLLBACK")
                self._session.roll_back()
                self.metrics.forget()
                raise
        except sqlite3.ProgrammingError:
            raise  # a bug, which trying again does not mend
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: what escapes from the block undoes what was done in it, and nothing else."""
        self._must_be_open()
        with self._session.savepoint():
            yield

    # -- messages ---------------------------------------------------------------------------------------------------

    def submit(self, rows: Sequence[NewTask], now: float) -> list[Submitted]:
        """Store messages; for each, in order, the id it is stored under.

        A message whose ``task_id`` is stored already, or whose (recipient, key) is, is not stored again. Raises
        StoreError naming the first row that cannot be stored; none of ``rows`` is stored then, and the transaction
        can go on.
        """
        self._must_be_open()
        at = iso(now)
        values = [to_insert(row, now, at) for row in rows]
        try:
            fresh = insert(self._session, values)
        except BAD_ROW:
            raise self._culprit(rows, values) from None
        return [
            Submitted(row.task_id, False) if new else self._stored(row) for row, new in zip(rows, fresh, strict=True)
        ]

    def _culprit(self, rows: Sequence[NewTask], values: Sequence[Parameters]) -> StoreError:
        tried = iter(rows)
        try:
            with self._session.savepoint():
                for parameters in values:
                    row = next(tried)
                    put(self._session, [parameters])
        except BAD_ROW as error:
            return StoreError(f"the message {row.task_id} to {row.recipient} cannot be stored: {error}")
        raise AssertionError("unreachable")  # one of them was refused a moment ago

    def _stored(self, row: NewTask) -> Submitted:
        stored = self._connection.execute(
            "SELECT task_id FROM tasks WHERE task_id = ?1 UNION ALL"
            " SELECT task_id FROM tasks WHERE recipient = ?2 AND key = ?3 LIMIT 1",
            (row.task_id, row.recipient, row.key),
        ).fetchone()
        return Submitted(stored[0], True)

    def claim(self, wanted: Wanted, now: float) -> dict[str, list[Lease]]:
        """Ready messages for recipients, by priority, then age, leased to their workers, which take so many each.

        By worker what it was given; those that were given nothing are not in it.
        """
        self._must_be_open()
        return claiming.claim(self._session, wanted, now)

    def settle(
        self, batches: Sequence[Batch], now: float, policy: Policy, ceiling: Ceiling = lambda recipient: None
    ) -> Settlement:
        """How leases ended, in order; ``accepted`` is in the order of them all.

        An outcome counts only while its row is running under its fence and leased to its worker. A completion that is
        said again is accepted again, without effect. ``done`` completes the message, stores what it sent and the
        agent's new state; a ``state`` that is not based on the stored version voids its outcome, and the message is
        queued again without a charge. An outcome that cannot be stored (a send with a bad priority), or that sends more
        to a recipient than its ``ceiling``, becomes an ``error`` that says so; the others stand. A message that was
        cancelled ends as ``cancelled``; only when it alone was cancelled, and not its tree, ``done`` still counts.
        """
        self._must_be_open()
        return settling.settle(self._session, batches, now, policy, ceiling)

    def release(  # noqa: PLR0913, PLR0917 - the whole of what a crash says
        self,
        worker: str,
        in_hand: tuple[int, int] | None,
        reason: str,
        charge: bool,
        now: float,
        policy: Policy,
        kind: str = "crash",
    ) -> Settlement:
        """Take all leases from a worker that is gone. ``in_hand`` (row, fence) is charged a ``kind`` if ``charge``."""
        self._must_be_open()
        return settling.release(self._session, worker, in_hand, reason, charge, now, policy, kind)

    def requeue(self, leases: Sequence[Running], now: float) -> Settlement:
        """Put leases, as ``open_leases`` gave them, back into the queue, uncharged."""
        self._must_be_open()
        return settling.requeue(self._session, leases, now)

    def due(self, now: float) -> Settlement:
        """Do what is due: delayed messages become ready, others expire, replies time out. ``next_due``: the next of
        all that wait."""
        self._must_be_open()
        done = Settlement()
        ends.expire(self._session, now, done)
        for (recipient, priority), number in Counter(self._connection.execute(_DUE, (now,)).fetchall()).items():
            self._session.delay(recipient, priority, -number)
            done.woken.add(recipient)
        replies.time_out(self._session, now, done)
        done.next_due = self.next_due()
        return done

    def drop_oldest(self, recipient: str, count: int, why: str, now: float) -> Settlement:
        """End the ``count`` messages that wait longest for ``recipient`` as ``expired``."""
        self._must_be_open()
        return ends.drop_oldest(self._session, recipient, count, why, now)

    def cancel(self, task_id: str, tree: bool, now: float) -> Cancelling:
        """End a message that waits; one that runs is noted, and ends as ``cancelled`` with its lease.

        With ``tree`` all that came of it as well. Nothing happens to what has ended already.
        """
        self._must_be_open()
        return ends.cancel(self._session, task_id, tree, now)

    # -- dead letters -----------------------------------------------------------------------------------------------

    def dead(self, which: Sequence[str] | DeadFilter) -> list[Dead]:
        """The dead letters with these ids, or those that pass the filter. Raises RefusedError for what is none."""
        return desk.find(self._session, which)

    def replay(self, dead: Sequence[Dead], ceiling: Ceiling, now: float) -> Settlement:
        """Put dead letters back into their queues. Raises QueueFullError; then none is put back."""
        self._must_be_open()
        done = Settlement()
        desk.replay(self._session, dead, ceiling, now, done)
        return done

    def edit(self, letter: Dead, payload: str, now: float) -> None:
        """Give a dead letter another payload: JSON text that was checked against its type."""
        self._must_be_open()
        desk.edit(self._session, letter, payload, now)

    def drop(self, dead: Sequence[Dead], now: float) -> None:
        """Delete dead letters, and the history of their failures."""
        self._must_be_open()
        desk.drop(self._session, dead, now)

    # -- questions (inside a transaction or not) --------------------------------------------------------------------

    def depth(self, recipient: str) -> int:
        """How many messages are queued for it, delayed ones included. Costs nothing."""
        return self._session.depths[recipient]

    @property
    def depths(self) -> dict[str, int]:
        """The same for all that have any."""
        return self._session.depths.counts()

    @property
    def changed(self) -> Mapping[str, int]:
        """By how much the present transaction has changed whose depth."""
        return self._session.depths.changed

    @_asking
    def next_due(self) -> float | None:
        """When something is next due: a delayed message, an expiry, a reply's time-out; None when nothing waits."""
        times = [self._connection.execute(statement).fetchone()[0] for statement in _NEXT_DUE]
        return min((time for time in times if time is not None), default=None)

    @_asking
    def open_leases(self) -> list[Running]:
        """Every running message."""
        rows = self._connection.execute("SELECT id, fence, lease_owner, recipient FROM tasks WHERE status = 'running'")
        return [Running(*row) for row in rows]

    @_asking
    def cancelling(self) -> list[Running]:
        """Those of them that were cancelled and have not ended yet."""
        rows = self._connection.execute(
            "SELECT id, fence, lease_owner, recipient FROM tasks WHERE status = 'running' AND cancelling IS NOT NULL"
        )
        return [Running(*row) for row in rows]

    def state(self, agent: str) -> tuple[int, str]:
        """(version, JSON text) of an agent's durable state; (0, "{}") when it never had one."""
        return settling.state_of(self._session, agent)

    @_asking
    def ended(self, task_id: str) -> bool:
        """True when the message is stored and neither queued nor running."""
        return over.ended(self._connection, task_id)

    @_asking
    def tree_ended(self, task_id: str) -> bool:
        """True when the message has ended, and all that came of it. One index look-up for a root."""
        return over.tree_ended(self._connection, task_id)

    @_asking
    def get(self, key: str) -> str | None:
        """The JSON text kept under ``key``, or None."""
        row = self._connection.execute("SELECT value FROM keeper WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    # -- history ----------------------------------------------------------------------------------------------------

    def record_events(self, events: Sequence[Event], now: float) -> None:
        """Append what was made by ``squad.events.event``."""
        self._must_be_open()
        recording.record_events(self._session, events, now)

    def record_samples(self, samples: Sequence[tuple[float, float, int, int, float]], now: float) -> None:
        """Append readings of the machine: CPU %, memory %, bytes available, processes of the squad, throttle (s)."""
        self._must_be_open()
        recording.record_samples(self._session, samples, now)

    def record_resizes(self, resizes: Sequence[tuple[str, int, int, str, str]], now: float) -> None:
        """Append (convoy, from, to, reason, readings as JSON text)."""
        self._must_be_open()
        recording.record_resizes(self._session, resizes, now)

    def put(self, pairs: Sequence[tuple[str, str]], now: float) -> None:
        """Keep (key, JSON text), replacing what was kept under the same key."""
        self._must_be_open()
        recording.put(self._session, pairs, now)

    def _begun(self) -> bool:
        return self._connection.in_transaction

    def _must_be_open(self) -> None:
        if not self._begun():
            raise RuntimeError("only inside transaction()")
