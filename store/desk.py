"""What people do with dead letters: have them handled again, mend them, throw them away.

A dead letter is a message with status ``failed``. Whatever is done is recorded as an event, one for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from squad.errors import Problem, QueueFullError, RefusedError
from squad.events import event
from squad.store.recording import record_events
from squad.store.rows import DeadFilter
from squad.store.session import Session
from squad.store.settlement import Settlement
from squad.store.settling import Ceiling
from squad.store.times import iso

_SELECT = "SELECT id, task_id, recipient, type, status, error_message, priority FROM tasks"
_ARCHIVED = "SELECT 1 FROM tasks_archive WHERE task_id = ? LIMIT 1"
_MOST_NAMED = 20  # messages that are no dead letters, in one error

_REPLAY = """
    UPDATE tasks SET status = 'queued', attempts = 0, not_before = NULL, expires_at = NULL, lease_owner = NULL,
                     claimed_at = NULL, cancelling = NULL, reply_due = ?1 + reply_timeout, started_at = NULL,
                     completed_at = NULL, duration_ms = NULL, ready_at = ?1
    WHERE id = ?2
"""  # a sum with NULL is NULL: without a time-out there is none


class Dead(NamedTuple):
    """A dead letter, as ``_SELECT`` reads it."""

    row: int
    task_id: str
    recipient: str
    type: str
    status: str
    error: str | None
    priority: int


def find(session: Session, which: Sequence[str] | DeadFilter) -> list[Dead]:
    """The dead letters with these ids, or those that pass the filter, the oldest message first.

    Raises RefusedError naming every id that is none.
    """
    if isinstance(which, DeadFilter):
        where, values = _conditions(which)
        rows = session.connection.execute(f"{_SELECT} WHERE {where} ORDER BY id", values)
        return [Dead(*row) for row in rows]
    found, problems = [], []
    for task_id in dict.fromkeys(which):
        row = session.connection.execute(f"{_SELECT} WHERE task_id = ?", (task_id,)).fetchone()
        if row is None:
            archived = session.connection.execute(_ARCHIVED, (task_id,)).fetchone()
            problems.append(Problem(task_id, "is in the archive" if archived else "there is no such message"))
        elif row[4] != "failed":
            problems.append(Problem(task_id, f"is {row[4]}, and so no dead letter"))
        else:
            found.append(Dead(*row))
    if problems:
        of = "the message is" if len(problems) == 1 else f"{len(problems):,} of the messages are"
        raise RefusedError(
            f"{of} not among the dead letters; nothing is changed",
            hint="squad dead list shows them",
            problems=problems[:_MOST_NAMED],
        )
    return sorted(found)


def _conditions(which: DeadFilter) -> tuple[str, list[object]]:
    tests: dict[str, object] = {
        "recipient = ?": which.agent,
        "type = ?": which.type,
        "completed_at >= ?": None if which.since is None else iso(which.since),
        "INSTR(LOWER(error_message), LOWER(?)) > 0": which.error,
    }
    given = {test: value for test, value in tests.items() if value is not None}
    return " AND ".join(["status = 'failed'", *given]), list(given.values())


def replay(session: Session, dead: Sequence[Dead], ceiling: Ceiling, now: float, done: Settlement) -> None:
    """Put them back into their queues as if they had never been tried; the history of their failures stays.

    A time to live does not hold any more; a reply is owed once more, and its time begins anew. Raises QueueFullError
    when they are more than a mailbox takes; then none is put back.
    """
    for recipient, number in Counter(letter.recipient for letter in dead).items():
        most, waiting = ceiling(recipient), session.depths[recipient]
        if most is not None and waiting + number > most:
            raise QueueFullError(
                f"{number:,} dead letters do not fit the mailbox of {recipient!r}: {waiting:,} messages wait there, "
                f"and at most {most:,} may; nothing is replayed",
                hint=f"replay fewer at a time, or raise queue.limit of {recipient} in the configuration",
            )
    session.connection.executemany(_REPLAY, [(now, letter.row) for letter in dead])
    for letter in dead:
        session.queue((letter.recipient, letter.priority, False), 1)
        session.metrics.count("queued", letter.recipient, letter.type)
        done.woken.add(letter.recipient)
    session.ended.add("failed", -len(dead))
    done.due(now)  # one of the replies that are owed again may be what is due next
    record_events(session, [event("replayed", x.task_id, agent=x.recipient, type=x.type) for x in dead], now)


def edit(session: Session, letter: Dead, payload: str, now: float) -> None:
    """Give it another payload, which is JSON text and fits its type. It stays a dead letter."""
    session.connection.execute("UPDATE tasks SET payload = ? WHERE id = ?", (payload, letter.row))
    record_events(session, [event("edited", letter.task_id, agent=letter.recipient, type=letter.type)], now)


def drop(session: Session, dead: Sequence[Dead], now: float) -> None:
    """Delete them, and the history of their failures."""
    session.connection.executemany("DELETE FROM tasks WHERE id = ?", [(letter.row,) for letter in dead])
    session.ended.add("failed", -len(dead))
    events = [event("dropped", x.task_id, agent=x.recipient, type=x.type, error=x.error or "") for x in dead]
    record_events(session, events, now)
