"""How leases end: completion, retry, dead letter, or back to the queue.

Everything here runs inside the writer's transaction. See docs/states.md for the states and what moves a message
from one to the next.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from squad.store.rows import NewTask, Outcome
from squad.store.times import iso

Policy = Callable[[str, int], float | None]
"""(recipient, attempts charged so far) -> seconds until the next attempt, or None: no more, a dead letter."""

BAD_ROW = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    OverflowError,  # an integer beyond 64 bits
    ValueError,  # text that is no Unicode (lone surrogates), or holds what a column cannot
)
"""What SQLite's module raises when one row is at fault, not the database."""

INSERT = """
    INSERT INTO tasks (task_id, parent_id, root_id, sender, recipient, type, priority, not_before, created_at, key, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""  # noqa: E501

_LEASED = """
    SELECT id, fence, recipient, attempts, task_id, COALESCE(root_id, task_id), claimed_at FROM tasks
    WHERE status = 'running' AND lease_owner = ?
"""
_COMPLETE = """
    UPDATE tasks SET status = 'completed', attempts = ?, started_at = ?, completed_at = ?, duration_ms = ?,
                     error_message = NULL, result = ?
    WHERE id = ?
"""
_FAIL = """
    UPDATE tasks SET status = 'failed', attempts = ?, started_at = ?, completed_at = ?, duration_ms = ?,
                     error_message = ?
    WHERE id = ?
"""
_RETRY = """
    UPDATE tasks SET status = 'queued', attempts = ?, not_before = ?, lease_owner = NULL, claimed_at = NULL,
                     error_message = ?
    WHERE id = ?
"""
_GIVE_BACK = """
    UPDATE tasks SET status = 'queued', not_before = ?, lease_owner = NULL, claimed_at = NULL,
                     error_message = COALESCE(?, error_message)
    WHERE id = ?
"""
_REQUEUE = """
    UPDATE tasks SET status = 'queued', lease_owner = NULL, claimed_at = NULL
    WHERE id = ? AND fence = ? AND lease_owner = ? AND status = 'running'
    RETURNING recipient
"""
_ATTEMPT = """
    INSERT INTO attempts (task_row, number, worker, started_at, ended_at, outcome, error) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_STATE = """
    INSERT INTO agent_state (agent, version, updated_at, state) VALUES (?, ?, ?, ?)
    ON CONFLICT (agent) DO UPDATE
    SET version = excluded.version, updated_at = excluded.updated_at, state = excluded.state
"""


@dataclass(slots=True)
class Settlement:
    """What came of a settle or a release."""

    accepted: list[bool] = field(default_factory=list)
    """For each outcome, in order. False: the claim is no longer the worker's, or its state was out of date."""
    ended: list[tuple[str, str, str]] = field(default_factory=list)
    """(task_id, root_id, status) of the messages that are now completed or failed."""
    woken: set[str] = field(default_factory=set)
    """Recipients that have messages ready which they had not before."""
    next_due: float | None = None
    """When the first of the messages delayed here becomes ready, seconds since the epoch."""
    outdated: bool = False
    """An outcome was void because the worker's copy of its agent's state is not the stored one."""

    def add(self, other: Settlement) -> None:
        self.accepted += other.accepted
        self.ended += other.ended
        self.woken |= other.woken
        self.outdated |= other.outdated
        if other.next_due is not None:
            self.delayed(other.next_due)

    def delayed(self, until: float) -> None:
        self.next_due = until if self.next_due is None else min(self.next_due, until)

    def queued(self, recipient: str, not_before: float | None) -> None:
        if not_before is None:
            self.woken.add(recipient)
        else:
            self.delayed(not_before)


def pending(not_before: float | None, now: float) -> float | None:
    """``not_before`` while it lies ahead; None for what is ready."""
    return not_before if not_before is not None and not_before > now else None


def to_insert(
    task: NewTask, until: float | None, at: str, parent: str | None = None, root: str | None = None
) -> tuple[object, ...]:
    """Parameters of ``INSERT``. ``at`` is the present as text; ``parent`` and ``root`` serve a task that names none."""
    return (
        task.task_id,
        task.parent_id or parent,
        task.root_id or root or task.task_id,
        task.sender,
        task.recipient,
        task.type,
        task.priority,
        until,
        at,
        task.key,
        task.payload,
    )


@contextmanager
def savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    """What is written inside is undone when an exception escapes; the transaction around it goes on."""
    connection.execute("SAVEPOINT inner")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled everything back by itself
            connection.execute("ROLLBACK TO inner")
            connection.execute("RELEASE inner")
        raise
    connection.execute("RELEASE inner")


def state_of(connection: sqlite3.Connection, agent: str) -> tuple[int, str]:
    """(version, JSON text) of an agent's durable state; (0, "{}") when it never had one."""
    row = connection.execute("SELECT version, state FROM agent_state WHERE agent = ?", (agent,)).fetchone()
    return (row[0], row[1]) if row else (0, "{}")


def storable(text: str) -> str:
    """``text`` with what is no Unicode written as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Leased(NamedTuple):
    """A running row, as ``_LEASED`` reads it."""

    row: int
    fence: int
    recipient: str
    attempts: int
    task_id: str
    root_id: str
    claimed_at: str


class Settling:
    """The ends of some leases of one worker, all at one moment.

    The worker's leases are read once; what becomes of each is decided here and noted as parameters of the statements
    above, which then run once each. Nothing can change in between: the transaction holds the write lock.
    """

    def __init__(self, connection: sqlite3.Connection, worker: str, agent: str, now: float, policy: Policy) -> None:
        self._connection = connection
        self._worker = worker
        self._agent = agent
        self._now = now
        self._at = iso(now)
        self._policy = policy
        self._leased: dict[int, _Leased] = {}
        self._version = -1  # of the agent's state; not read yet
        self._writes: dict[str, list[tuple[object, ...]]] = {}
        self._done = Settlement()

    def settle(self, outcomes: Sequence[Outcome]) -> Settlement:
        """Every outcome in order. Raises one of BAD_ROW when one cannot be stored; then none is."""
        self._look()
        for outcome in outcomes:
            leased = self._leased.get(outcome.row)
            accepted = leased is not None and leased.fence == outcome.fence and self._end(leased, outcome)
            if leased is not None and leased.fence == outcome.fence:
                del self._leased[outcome.row]
            self._done.accepted.append(accepted)
        return self._write()

    def release(self, in_hand: tuple[int, int] | None, reason: str, charge: bool) -> Settlement:
        """All leases of the worker return at once; ``in_hand`` is charged an attempt if ``charge``."""
        self._look()
        for leased in self._leased.values():
            if charge and (leased.row, leased.fence) == in_hand:
                self._charge(leased, Outcome(leased.row, leased.fence, "crash", error=reason))
            else:
                self._give_back(leased, None, "")
        return self._write()

    def _look(self) -> None:
        rows = self._connection.execute(_LEASED, (self._worker,)).fetchall()
        self._leased = {row[0]: _Leased(*row) for row in rows}

    def _write(self) -> Settlement:
        with savepoint(self._connection):
            for statement, parameters in self._writes.items():
                self._connection.executemany(statement, parameters)
        return self._done

    def _note(self, statement: str, *parameters: object) -> None:
        self._writes.setdefault(statement, []).append(parameters)

    def _end(self, leased: _Leased, outcome: Outcome) -> bool:
        match outcome.kind:
            case "done":
                return self._complete(leased, outcome)
            case "error" | "timeout" | "refused":
                self._charge(leased, outcome)
            case "retry":
                self._give_back(leased, outcome.not_before, outcome.error)
            case "returned":
                self._give_back(leased, None, outcome.error)
            case _:
                raise ValueError(f"{outcome.kind!r} is no kind of outcome")
        return True

    def _complete(self, leased: _Leased, outcome: Outcome) -> bool:
        if outcome.state is not None and not self._advance(outcome.state, outcome.state_version):
            self._give_back(leased, None, "")
            return False
        started = iso(outcome.started) if outcome.started else leased.claimed_at
        self._note(_COMPLETE, leased.attempts + 1, started, self._at, outcome.duration_ms, outcome.result, leased.row)
        self._done.ended.append((leased.task_id, leased.root_id, "completed"))
        for task in outcome.sends:
            until = pending(task.not_before, self._now)
            self._note(INSERT, *to_insert(task, until, self._at, leased.task_id, leased.root_id))
            self._done.queued(task.recipient, until)
        return True

    def _advance(self, state: str, based_on: int) -> bool:
        if self._version < 0:
            self._version = state_of(self._connection, self._agent)[0]
        if based_on != self._version:
            self._done.outdated = True
            return False
        self._version += 1
        self._writes[_STATE] = [(self._agent, self._version, self._at, state)]  # only the last one matters
        return True

    def _charge(self, leased: _Leased, outcome: Outcome) -> None:
        number = leased.attempts + 1
        started = iso(outcome.started) if outcome.started else leased.claimed_at
        error = storable(outcome.error)
        self._note(_ATTEMPT, leased.row, number, self._worker, started, self._at, outcome.kind, error)
        delay = None if outcome.kind == "refused" else self._policy(leased.recipient, number)
        if delay is None:
            duration = outcome.duration_ms if outcome.started else None
            self._note(_FAIL, number, started, self._at, duration, error, leased.row)
            self._done.ended.append((leased.task_id, leased.root_id, "failed"))
        else:
            until = pending(self._now + delay, self._now)
            self._note(_RETRY, number, until, error, leased.row)
            self._done.queued(leased.recipient, until)

    def _give_back(self, leased: _Leased, not_before: float | None, why: str) -> None:
        until = pending(not_before, self._now)
        self._note(_GIVE_BACK, until, storable(why) or None, leased.row)
        self._done.queued(leased.recipient, until)


def settle(  # noqa: PLR0913, PLR0917 - Writer.settle passes on all that it was given
    connection: sqlite3.Connection, worker: str, agent: str, outcomes: Sequence[Outcome], now: float, policy: Policy
) -> Settlement:
    """All outcomes in order. One that cannot be stored becomes an ``error``; it does no harm to the others."""
    try:
        return Settling(connection, worker, agent, now, policy).settle(outcomes)
    except BAD_ROW:
        done = Settlement()
    for outcome in outcomes:
        try:
            done.add(Settling(connection, worker, agent, now, policy).settle((outcome,)))
        except BAD_ROW as error:
            instead = Outcome(outcome.row, outcome.fence, "error", error=f"its outcome could not be stored: {error}")
            done.add(Settling(connection, worker, agent, now, policy).settle((instead,)))
    return done


def requeue(connection: sqlite3.Connection, leases: Iterable[tuple[int, int, str]]) -> Settlement:
    """Leases (row, fence, worker) that nobody holds any more return to the queue, uncharged."""
    done = Settlement()
    for row, fence, worker in leases:
        found = connection.execute(_REQUEUE, (row, fence, worker)).fetchone()
        done.accepted.append(found is not None)
        if found is not None:
            done.woken.add(found[0])
    return done
