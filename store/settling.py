"""How leases end: completion, retry, dead letter, cancelled, or back to the queue.

Everything here runs inside the writer's transaction. See docs/states.md for the states and what moves a message
from one to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from squad.store.bulk import Bulk
from squad.store.inserting import BAD_ROW, Parameters, insert, is_plain, storable, to_insert
from squad.store.leases import Leased
from squad.store.metrics.journal import Key, Measured, Times, Where
from squad.store.metrics.summary import Summary
from squad.store.replies import answer
from squad.store.rows import NewTask, Outcome, Running
from squad.store.session import Place, Session
from squad.store.settlement import Settlement
from squad.store.times import iso

Policy = Callable[[str, str, int], float | None]
"""(recipient, type, attempts charged so far) -> seconds until the next attempt, or None: no more, a dead letter."""

Ceiling = Callable[[str], int | None]
"""recipient -> the most messages that may wait for it when a handler sends it another; None: any number."""

BEFORE_HANDLED = "cancelled before it was handled"
WHILE_HANDLED = "cancelled while it was handled"

COMPLETE = Bulk(
    """
    WITH done (row, started_at, duration_ms, result) AS (VALUES {rows})
    UPDATE tasks SET status = 'completed', attempts = attempts + 1, started_at = done.started_at, completed_at = ?,
                     duration_ms = done.duration_ms, error_message = NULL, result = done.result
    FROM done WHERE tasks.id = done.row
    """,
    "(?, ?, ?, ?)",
)
_END = """
    UPDATE tasks SET status = ?, attempts = ?, started_at = ?, completed_at = ?, duration_ms = ?, error_message = ?
    WHERE id = ?
"""
_RETRY = """
    UPDATE tasks SET status = 'queued', attempts = ?, not_before = ?, lease_owner = NULL, claimed_at = NULL,
                     error_message = ?, ready_at = ?
    WHERE id = ?
"""
_GIVE_BACK = """
    UPDATE tasks SET status = 'queued', not_before = ?, lease_owner = NULL, claimed_at = NULL,
                     error_message = COALESCE(?, error_message), ready_at = ?
    WHERE id = ?
"""
_ATTEMPT = """
    INSERT INTO attempts (task_row, number, worker, started_at, ended_at, outcome, final, error)
    SELECT ?, COALESCE(MAX(number), 0) + 1, ?, ?, ?, ?, ?, ? FROM attempts WHERE task_row = ?
"""
_COMPLETED = "SELECT 1 FROM tasks WHERE id = ? AND fence = ? AND lease_owner = ? AND status = 'completed'"
_STATE = """
    INSERT INTO agent_state (agent, version, updated_at, state) VALUES (?, ?, ?, ?)
    ON CONFLICT (agent) DO UPDATE
    SET version = excluded.version, updated_at = excluded.updated_at, state = excluded.state
"""


class Batch(NamedTuple):
    """How leases of one worker ended, which is (one of) the agent ``agent``."""

    worker: str
    agent: str
    outcomes: Sequence[Outcome]


class Settling:
    """The ends of some leases, all at one moment.

    What becomes of each is decided here and noted as parameters of the statements above, which then run once each.
    Nothing can change in between: the transaction holds the write lock.
    """

    def __init__(self, session: Session, leased: dict[int, Leased], now: float, policy: Policy) -> None:
        self._session = session
        self._leased = leased
        self._now = now
        self._at = iso(now)
        self._policy = policy
        self._ceiling: Ceiling = lambda _: None
        self._completed: list[tuple[object, ...]] = []
        self._writes: dict[str, list[tuple[object, ...]]] = {}
        self._states: dict[str, tuple[int, str | None]] = {}  # agent -> version, and what is to be written
        self._sends: list[Parameters] = []
        self._sent: dict[str, int] = {}  # likewise, by recipient
        self._requeued: Counter[Place] = Counter()
        self._to_answer: list[int] = []
        self._counted: list[Key] = []
        self._handled: dict[Where, Times] = {}
        self._own: list[Measured] = []
        self._over: list[int] = []  # rows whose leases end
        self._finished: set[tuple[int, int, str]] = set()  # row, fence and worker of what is completed here
        self._done = Settlement()

    def settle(self, batches: Sequence[Batch], ceiling: Ceiling) -> Settlement:
        """Every outcome in order. Raises one of BAD_ROW when one cannot be stored; then none is."""
        self._ceiling = ceiling
        for worker, agent, outcomes in batches:
            for outcome in outcomes:
                leased = self._take(outcome.row, worker, outcome.fence)
                accepted = self._end(leased, agent, outcome) if leased else self._is_repetition(worker, outcome)
                self._done.accepted.append(accepted)
        return self._write()

    def release(self, in_hand: tuple[int, int] | None, reason: str, charge: bool, kind: str) -> Settlement:
        """All of them return at once; ``in_hand`` is charged an attempt if ``charge``, with ``kind`` as its outcome."""
        for leased in self._leased.values():
            self._over.append(leased.row)
            begun = (leased.row, leased.fence) == in_hand
            if leased.cancelling is not None:
                self._cancel(leased, leased.claimed_at if begun else None, None)
            elif charge and begun:
                self._charge(leased, Outcome(leased.row, leased.fence, kind, error=reason))
            else:
                self._give_back(leased, None, "")
        return self._write()

    def requeue(self, leases: Iterable[Running]) -> Settlement:
        """These return, uncharged."""
        for lease in leases:
            leased = self._take(lease.row, lease.worker, lease.fence)
            returned = Outcome(lease.row, lease.fence, "returned")
            self._done.accepted.append(leased is not None and self._end(leased, "", returned))
        return self._write()

    def _take(self, row: int, worker: str, fence: int) -> Leased | None:
        """The lease, if it is still this one; it is over then."""
        leased = self._leased.get(row)
        if leased is None or not leased.held_by(worker, fence):
            return None
        del self._leased[row]
        self._over.append(row)
        return leased

    def _is_repetition(self, worker: str, outcome: Outcome) -> bool:
        """Whether it was completed under this very lease before, and only the acknowledgement was lost."""
        claim = (outcome.row, outcome.fence, worker)
        if outcome.kind != "done" or claim in self._finished:
            return outcome.kind == "done"
        return self._session.connection.execute(_COMPLETED, claim).fetchone() is not None

    def _write(self) -> Settlement:
        with self._session.savepoint():
            COMPLETE.run(self._session.connection, self._completed, self._at)
            for statement, parameters in self._writes.items():
                self._session.connection.executemany(statement, parameters)
            states = [(agent, version, self._at, text) for agent, (version, text) in self._states.items() if text]
            self._session.connection.executemany(_STATE, states)
            if self._sends:
                insert(self._session, self._sends)
            for status, number in Counter(status for _, _, status in self._done.ended).items():
                self._session.ended.add(status, number)
            for place, number in self._requeued.items():
                self._session.queue(place, number)
            if self._to_answer:
                answer(self._session, self._to_answer, self._now, self._done)
            self._write_metrics()
        self._session.leases.forget(self._over)
        return self._done

    def _write_metrics(self) -> None:
        metrics = self._session.metrics
        for where, times in self._handled.items():
            metrics.completed(where, times)
        for key in self._counted:
            metrics.count(*key)
        for measured in self._own:
            metrics.add(measured)

    def _note(self, statement: str, *parameters: object) -> None:
        self._writes.setdefault(statement, []).append(parameters)

    # -- one lease --------------------------------------------------------------------------------------------------

    def _end(self, leased: Leased, agent: str, outcome: Outcome) -> bool:
        """False: the outcome has no effect."""
        kind = outcome.kind
        if leased.cancelling is not None and (kind != "done" or leased.cancelling == "tree"):
            self._cancel_begun(leased, outcome)
            return kind != "done"
        match kind:
            case "done":
                return self._complete(leased, agent, outcome)
            case "error" | "timeout" | "refused":
                self._charge(leased, outcome)
            case "retry" | "limited":
                self._give_back(leased, outcome.not_before, outcome.error)
            case "returned":
                self._give_back(leased, None, outcome.error)
            case "cancelled":
                self._cancel_begun(leased, outcome)
            case _:
                raise ValueError(f"{kind!r} is no kind of outcome")
        return True

    def _complete(self, leased: Leased, agent: str, outcome: Outcome) -> bool:
        if outcome.sends and (full := self._too_many(outcome.sends)):
            self._end(leased, agent, outcome._replace(kind="error", error=full))
            return outcome.state is None  # else the worker's copy of the state is ahead of the stored one
        if outcome.state is not None and not self._advance(agent, outcome.state, outcome.state_version):
            if leased.cancelling is not None:
                self._cancel_begun(leased, outcome)
            else:
                self._give_back(leased, None, "")
            return False
        started = iso(outcome.started) if outcome.started else leased.claimed_at
        self._completed.append((leased.row, started, round(outcome.duration_ms), outcome.result))
        self._finished.add((leased.row, leased.fence, leased.worker))
        self._ended(leased, "completed")
        where = leased.recipient, leased.type
        times = self._handled.get(where)
        if times is None:
            times = self._handled[where] = [], [], []
        began, ready, took = times
        began.append(outcome.started or self._now)
        ready.append(leased.ready)
        took.append(outcome.duration_ms)
        if outcome.metrics:
            self._measured(leased, outcome)
        for task in outcome.sends:
            row = to_insert(task, self._now, self._at, leased.task_id, leased.root_id)
            self._sends.append(row)
            if is_plain(row):
                self._done.woken.add(task.recipient)
            else:
                self._done.queued(task.recipient, task.delayed_until(self._now))
                self._done.due(task.expires_at, task.reply_due(self._now))
        return True

    def _measured(self, leased: Leased, outcome: Outcome) -> None:
        for name, kind, value in outcome.metrics:
            self._own.append(Measured(name, leased.recipient, "", kind, Summary.of(kind, value)))

    def _too_many(self, sends: Sequence[NewTask]) -> str:
        """Why this many messages cannot be taken, or nothing."""
        more: dict[str, int] = {}  # a Counter takes several times as long, for every message that sends another
        for task in sends:
            more[task.recipient] = more.get(task.recipient, 0) + 1
        for recipient, number in more.items():
            most = self._ceiling(recipient)
            if most is None:
                continue
            waiting = self._session.depths[recipient] + self._sent.get(recipient, 0)
            if waiting + number > most:
                return (
                    f"QueueFullError: {number:,} more to {recipient!r} would be too many: {waiting:,} wait there, and "
                    f"what handlers send is taken up to {most:,}, ten times its queue.limit"
                )
        for recipient, number in more.items():
            self._sent[recipient] = self._sent.get(recipient, 0) + number
        return ""

    def _advance(self, agent: str, state: str, based_on: int) -> bool:
        version, _ = self._states.get(agent) or (state_of(self._session, agent)[0], None)
        if based_on != version:
            return False
        self._states[agent] = (version + 1, state)  # only the last one is written
        return True

    def _charge(self, leased: Leased, outcome: Outcome) -> None:
        number = leased.attempts + 1
        started = iso(outcome.started) if outcome.started else leased.claimed_at
        error = storable(outcome.error)
        delay = None if outcome.kind == "refused" else self._policy(leased.recipient, leased.type, number)
        final = int(delay is None)
        self._note(_ATTEMPT, leased.row, leased.worker, started, self._at, outcome.kind, final, error, leased.row)
        if delay is None:
            duration = round(outcome.duration_ms) if outcome.started else None
            self._note(_END, "failed", number, started, self._at, duration, error, leased.row)
            self._ended(leased, "failed")
            self._counted.append(("failed", leased.recipient, leased.type))
        else:
            until = self._now + delay if delay > 0 else None
            self._note(_RETRY, number, until, error, self._now, leased.row)
            self._requeue(leased, until)
            self._counted.append(("retried", leased.recipient, leased.type))

    def _give_back(self, leased: Leased, not_before: float | None, why: str) -> None:
        until = not_before if not_before is not None and not_before > self._now else None
        self._note(_GIVE_BACK, until, storable(why) or None, self._now, leased.row)
        self._requeue(leased, until)

    def _requeue(self, leased: Leased, until: float | None) -> None:
        self._requeued[leased.recipient, leased.priority, until is not None] += 1
        self._done.queued(leased.recipient, until)
        self._done.due(leased.expires_at)

    def _cancel_begun(self, leased: Leased, outcome: Outcome) -> None:
        if outcome.started:
            self._cancel(leased, iso(outcome.started), round(outcome.duration_ms))
        else:
            self._cancel(leased, None, None)

    def _cancel(self, leased: Leased, started: str | None, duration: int | None) -> None:
        why = BEFORE_HANDLED if started is None else WHILE_HANDLED
        self._note(_END, "cancelled", leased.attempts, started, self._at, duration, why, leased.row)
        self._ended(leased, "cancelled")
        self._counted.append(("cancelled", leased.recipient, leased.type))

    def _ended(self, leased: Leased, status: str) -> None:
        self._done.ended.append((leased.task_id, leased.root_id, status))
        if leased.reply_to is not None:
            self._to_answer.append(leased.row)


def settle(session: Session, batches: Sequence[Batch], now: float, policy: Policy, ceiling: Ceiling) -> Settlement:
    """All outcomes in order. One that cannot be stored becomes an ``error``; it does no harm to the others."""
    try:
        return _settle(session, batches, now, policy, ceiling)
    except BAD_ROW as error:
        reason = f"its outcome could not be stored: {error}"
    if len(batches) == 1:
        ((worker, agent, outcomes),) = batches
        if len(outcomes) == 1:
            instead = Outcome(*outcomes[0].claim, "error", error=reason)
            done = _settle(session, [Batch(worker, agent, (instead,))], now, policy, ceiling)
            # The worker's copy of the state is ahead of the stored one.
            done.accepted = [accepted and outcomes[0].state is None for accepted in done.accepted]
            return done
        batches = [Batch(worker, agent, (outcome,)) for outcome in outcomes]
    done = Settlement()
    for batch in batches:
        done.add(settle(session, [batch], now, policy, ceiling))
    return done


def _settle(session: Session, batches: Sequence[Batch], now: float, policy: Policy, ceiling: Ceiling) -> Settlement:
    leased = session.leases.of_rows(outcome.row for batch in batches for outcome in batch.outcomes)
    return Settling(session, leased, now, policy).settle(batches, ceiling)


def release(  # noqa: PLR0913, PLR0917 - the whole of what a crash says
    session: Session,
    worker: str,
    in_hand: tuple[int, int] | None,
    reason: str,
    charge: bool,
    now: float,
    policy: Policy,
    kind: str,
) -> Settlement:
    """All leases of a worker that is gone. ``kind``: one of ENDED."""
    leased = session.leases.of_worker(worker)
    return Settling(session, leased, now, policy).release(in_hand, reason, charge, kind)


def requeue(session: Session, leases: Sequence[Running], now: float) -> Settlement:
    """Leases that nobody holds any more return to the queue, uncharged; cancelled ones end."""
    leased = session.leases.of_rows(lease.row for lease in leases)
    return Settling(session, leased, now, lambda *_: None).requeue(leases)


def state_of(session: Session, agent: str) -> tuple[int, str]:
    """(version, JSON text) of an agent's durable state; (0, "{}") when it never had one."""
    row = session.connection.execute("SELECT version, state FROM agent_state WHERE agent = ?", (agent,)).fetchone()
    return (row[0], row[1]) if row else (0, "{}")
