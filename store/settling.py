"""How leases end: completion, retry, dead letter, cancelled, or back to the queue.

Everything here runs inside the writer's transaction. See docs/states.md for the states and what moves a message
from one to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from squad.store.inserting import BAD_ROW, Parameters, insert, storable, to_insert
from squad.store.replies import answer
from squad.store.rows import NewTask, Outcome, Running
from squad.store.session import Session
from squad.store.settlement import Settlement
from squad.store.times import iso

Policy = Callable[[str, str, int], float | None]
"""(recipient, type, attempts charged so far) -> seconds until the next attempt, or None: no more, a dead letter."""

Ceiling = Callable[[str], int | None]
"""recipient -> the most messages that may wait for it when a handler sends it another; None: any number."""

BEFORE_HANDLED = "cancelled before it was handled"
WHILE_HANDLED = "cancelled while it was handled"

_LEASED = """
    SELECT id, fence, recipient, type, attempts, task_id, COALESCE(root_id, task_id), claimed_at, expires_at,
           cancelling, reply_to
    FROM tasks
    WHERE status = 'running' AND lease_owner = ?
"""
_COMPLETE = """
    UPDATE tasks SET status = 'completed', attempts = ?, started_at = ?, completed_at = ?, duration_ms = ?,
                     error_message = NULL, result = ?
    WHERE id = ?
"""
_END = """
    UPDATE tasks SET status = ?, attempts = ?, started_at = ?, completed_at = ?, duration_ms = ?, error_message = ?
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
_ATTEMPT = """
    INSERT INTO attempts (task_row, number, worker, started_at, ended_at, outcome, final, error)
    SELECT ?, COALESCE(MAX(number), 0) + 1, ?, ?, ?, ?, ?, ? FROM attempts WHERE task_row = ?
"""
_STATE = """
    INSERT INTO agent_state (agent, version, updated_at, state) VALUES (?, ?, ?, ?)
    ON CONFLICT (agent) DO UPDATE
    SET version = excluded.version, updated_at = excluded.updated_at, state = excluded.state
"""


class _Leased(NamedTuple):
    """A running row, as ``_LEASED`` reads it."""

    row: int
    fence: int
    recipient: str
    type: str
    attempts: int
    task_id: str
    root_id: str
    claimed_at: str
    expires_at: float | None
    cancelling: str | None
    reply_to: str | None


class Settling:
    """The ends of some leases of one worker, all at one moment.

    The worker's leases are read once; what becomes of each is decided here and noted as parameters of the statements
    above, which then run once each. Nothing can change in between: the transaction holds the write lock.
    """

    def __init__(self, session: Session, worker: str, now: float) -> None:
        self._session = session
        self._worker = worker
        self._now = now
        self._at = iso(now)
        self._policy: Policy = lambda *_: None
        self._ceiling: Ceiling = lambda _: None
        self._agent = ""
        self._version = -1  # of the agent's state; not read yet
        self._writes: dict[str, list[tuple[object, ...]]] = {}
        self._sends: list[Parameters] = []
        self._sent: Counter[str] = Counter()  # likewise, by recipient
        self._requeued: Counter[str] = Counter()
        self._to_answer: list[int] = []
        self._done = Settlement()
        rows = session.connection.execute(_LEASED, (worker,)).fetchall()
        self._leased = {row[0]: _Leased(*row) for row in rows}

    def settle(self, agent: str, outcomes: Sequence[Outcome], policy: Policy, ceiling: Ceiling) -> Settlement:
        """Every outcome in order. Raises one of BAD_ROW when one cannot be stored; then none is."""
        self._agent, self._policy, self._ceiling = agent, policy, ceiling
        for outcome in outcomes:
            leased = self._leased.get(outcome.row)
            accepted = leased is not None and leased.fence == outcome.fence and self._end(leased, outcome)
            if leased is not None and leased.fence == outcome.fence:
                del self._leased[outcome.row]
            self._done.accepted.append(accepted)
        return self._write()

    def release(self, in_hand: tuple[int, int] | None, reason: str, charge: bool, policy: Policy) -> Settlement:
        """All leases of the worker return at once; ``in_hand`` is charged an attempt if ``charge``."""
        self._policy = policy
        for leased in self._leased.values():
            begun = (leased.row, leased.fence) == in_hand
            if leased.cancelling is not None:
                self._cancel(leased, leased.claimed_at if begun else None, None)
            elif charge and begun:
                self._charge(leased, Outcome(leased.row, leased.fence, "crash", error=reason))
            else:
                self._give_back(leased, None, "")
        return self._write()

    def requeue(self, leases: Iterable[tuple[int, int]]) -> Settlement:
        """These leases (row, fence) of the worker's return, uncharged."""
        for row, fence in leases:
            leased = self._leased.pop(row, None)
            held = leased is not None and leased.fence == fence
            self._done.accepted.append(held and self._end(leased, Outcome(row, fence, "returned")))  # type: ignore[arg-type]
        return self._write()

    def _write(self) -> Settlement:
        with self._session.savepoint():
            for statement, parameters in self._writes.items():
                self._session.connection.executemany(statement, parameters)
            if self._sends:
                insert(self._session, self._sends)
            for recipient, number in self._requeued.items():
                self._session.depths.add(recipient, number)
            if self._to_answer:
                answer(self._session, self._to_answer, self._now, self._done)
        return self._done

    def _note(self, statement: str, *parameters: object) -> None:
        self._writes.setdefault(statement, []).append(parameters)

    # -- one lease --------------------------------------------------------------------------------------------------

    def _end(self, leased: _Leased, outcome: Outcome) -> bool:
        """False: the outcome has no effect."""
        kind = outcome.kind
        if leased.cancelling is not None and (kind != "done" or leased.cancelling == "tree"):
            self._cancel_begun(leased, outcome)
            return kind != "done"
        match kind:
            case "done":
                return self._complete(leased, outcome)
            case "error" | "timeout" | "refused":
                self._charge(leased, outcome)
            case "retry":
                self._give_back(leased, outcome.not_before, outcome.error)
            case "returned":
                self._give_back(leased, None, outcome.error)
            case "cancelled":
                self._cancel_begun(leased, outcome)
            case _:
                raise ValueError(f"{kind!r} is no kind of outcome")
        return True

    def _complete(self, leased: _Leased, outcome: Outcome) -> bool:
        if outcome.sends and (full := self._too_many(outcome.sends)):
            self._end(leased, outcome._replace(kind="error", error=full))
            return outcome.state is None  # else the worker's copy of the state is ahead of the stored one
        if outcome.state is not None and not self._advance(outcome.state, outcome.state_version):
            if leased.cancelling is not None:
                self._cancel_begun(leased, outcome)
            else:
                self._give_back(leased, None, "")
            return False
        started = iso(outcome.started) if outcome.started else leased.claimed_at
        self._note(_COMPLETE, leased.attempts + 1, started, self._at, outcome.duration_ms, outcome.result, leased.row)
        self._ended(leased, "completed")
        for task in outcome.sends:
            self._sends.append(to_insert(task, self._now, self._at, leased.task_id, leased.root_id))
            self._done.queued(task.recipient, task.delayed_until(self._now))
            self._done.due(task.expires_at, task.reply_due(self._now))
        return True

    def _too_many(self, sends: Sequence[NewTask]) -> str:
        """Why this many messages cannot be taken, or nothing."""
        more = Counter(task.recipient for task in sends)
        for recipient, number in more.items():
            most = self._ceiling(recipient)
            waiting = self._session.depths[recipient] + self._sent[recipient]
            if most is not None and waiting + number > most:
                return (
                    f"QueueFullError: {number:,} more to {recipient!r} would be too many: {waiting:,} wait there, and "
                    f"what handlers send is taken up to {most:,}, ten times its queue.limit"
                )
        self._sent.update(more)
        return ""

    def _advance(self, state: str, based_on: int) -> bool:
        if self._version < 0:
            self._version = state_of(self._session, self._agent)[0]
        if based_on != self._version:
            return False
        self._version += 1
        self._writes[_STATE] = [(self._agent, self._version, self._at, state)]  # only the last one matters
        return True

    def _charge(self, leased: _Leased, outcome: Outcome) -> None:
        number = leased.attempts + 1
        started = iso(outcome.started) if outcome.started else leased.claimed_at
        error = storable(outcome.error)
        delay = None if outcome.kind == "refused" else self._policy(leased.recipient, leased.type, number)
        final = int(delay is None)
        self._note(_ATTEMPT, leased.row, self._worker, started, self._at, outcome.kind, final, error, leased.row)
        if delay is None:
            duration = outcome.duration_ms if outcome.started else None
            self._note(_END, "failed", number, started, self._at, duration, error, leased.row)
            self._ended(leased, "failed")
        else:
            until = self._now + delay if delay > 0 else None
            self._note(_RETRY, number, until, error, leased.row)
            self._requeue(leased, until)

    def _give_back(self, leased: _Leased, not_before: float | None, why: str) -> None:
        until = not_before if not_before is not None and not_before > self._now else None
        self._note(_GIVE_BACK, until, storable(why) or None, leased.row)
        self._requeue(leased, until)

    def _requeue(self, leased: _Leased, until: float | None) -> None:
        self._requeued[leased.recipient] += 1
        self._done.queued(leased.recipient, until)
        self._done.due(leased.expires_at)

    def _cancel_begun(self, leased: _Leased, outcome: Outcome) -> None:
        if outcome.started:
            self._cancel(leased, iso(outcome.started), outcome.duration_ms)
        else:
            self._cancel(leased, None, None)

    def _cancel(self, leased: _Leased, started: str | None, duration: int | None) -> None:
        why = BEFORE_HANDLED if started is None else WHILE_HANDLED
        self._note(_END, "cancelled", leased.attempts, started, self._at, duration, why, leased.row)
        self._ended(leased, "cancelled")

    def _ended(self, leased: _Leased, status: str) -> None:
        self._done.ended.append((leased.task_id, leased.root_id, status))
        if leased.reply_to is not None:
            self._to_answer.append(leased.row)


def settle(  # noqa: PLR0913, PLR0917 - Writer.settle passes on all that it was given
    session: Session,
    worker: str,
    agent: str,
    outcomes: Sequence[Outcome],
    now: float,
    policy: Policy,
    ceiling: Ceiling,
) -> Settlement:
    """All outcomes in order. One that cannot be stored becomes an ``error``; it does no harm to the others."""
    try:
        return Settling(session, worker, now).settle(agent, outcomes, policy, ceiling)
    except BAD_ROW:
        done = Settlement()
    for outcome in outcomes:
        try:
            done.add(Settling(session, worker, now).settle(agent, (outcome,), policy, ceiling))
        except BAD_ROW as error:
            instead = Outcome(outcome.row, outcome.fence, "error", error=f"its outcome could not be stored: {error}")
            done.add(Settling(session, worker, now).settle(agent, (instead,), policy, ceiling))
    return done


def requeue(session: Session, leases: Iterable[Running], now: float) -> Settlement:
    """Leases that nobody holds any more return to the queue, uncharged; cancelled ones end."""
    done = Settlement()
    for lease in leases:
        done.add(Settling(session, lease.worker, now).requeue([(lease.row, lease.fence)]))
    return done


def state_of(session: Session, agent: str) -> tuple[int, str]:
    """(version, JSON text) of an agent's durable state; (0, "{}") when it never had one."""
    row = session.connection.execute("SELECT version, state FROM agent_state WHERE agent = ?", (agent,)).fetchone()
    return (row[0], row[1]) if row else (0, "{}")
