"""How messages end that no handler has: by their time, by a full mailbox, and because they are cancelled."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from squad.store.replies import answer
from squad.store.rows import Running
from squad.store.session import Session
from squad.store.settlement import Settlement
from squad.store.settling import BEFORE_HANDLED
from squad.store.times import iso

EXPIRED = "its time to live was over before it was handled"

_ENDED = """
    RETURNING id, task_id, COALESCE(root_id, task_id), recipient, type, priority, not_before IS NOT NULL,
              reply_to IS NOT NULL
"""
_EXPIRE = f"""
    UPDATE tasks INDEXED BY tasks_expiring SET status = 'expired', completed_at = ?, error_message = ?
    WHERE status = 'queued' AND expires_at IS NOT NULL AND expires_at <= ?
    {_ENDED}
"""  # noqa: S608 - a constant
_READY = """
    SELECT * FROM (
        SELECT id FROM tasks
        WHERE status = 'queued' AND recipient = ?1 AND not_before IS NULL AND priority = {priority}
        ORDER BY id LIMIT ?2
    )
"""
_DELAYED = "SELECT id FROM tasks WHERE status = 'queued' AND recipient = ?1 AND not_before IS NOT NULL"
# Each priority has its rows in order; to sort a whole mailbox would take time with its depth.
_OLDEST = " UNION ALL ".join([*(_READY.format(priority=n) for n in range(1, 11)), _DELAYED]) + " ORDER BY id LIMIT ?2"
_DROP = f"UPDATE tasks SET status = 'expired', completed_at = ?, error_message = ? WHERE id = ? {_ENDED}"  # noqa: S608
_CANCEL = f"UPDATE tasks SET status = 'cancelled', completed_at = ?, error_message = ? WHERE id = ? {_ENDED}"  # noqa: S608
_TELL = "UPDATE tasks SET cancelling = CASE cancelling WHEN 'tree' THEN 'tree' ELSE ? END WHERE id = ?"

_OPEN = "SELECT id, status, fence, lease_owner, recipient FROM"
_OPEN_ONE = f"{_OPEN} tasks WHERE task_id = ? AND status IN ('queued', 'running')"
_OPEN_TREE = f"{_OPEN} tasks WHERE root_id = ? AND completed_at IS NULL AND status IN ('queued', 'running')"
_OPEN_BRANCH = f"""
    WITH RECURSIVE branch (id, task_id, status, fence, lease_owner, recipient) AS (
        SELECT id, task_id, status, fence, lease_owner, recipient FROM tasks WHERE task_id = ?
        UNION
        SELECT tasks.id, tasks.task_id, tasks.status, tasks.fence, tasks.lease_owner, tasks.recipient
        FROM branch JOIN tasks ON tasks.parent_id = branch.task_id
    )
    {_OPEN} branch WHERE status IN ('queued', 'running')
"""  # noqa: S608 - a constant


class Cancelling(NamedTuple):
    """What came of a cancel: messages that waited have ended (``settlement``), handlers of others must be told."""

    settlement: Settlement
    running: list[Running]


def expire(session: Session, now: float, done: Settlement) -> None:
    """End what waits and whose time to live is over."""
    _end(session, session.connection.execute(_EXPIRE, (iso(now), EXPIRED, now)), now, "expired", done)


def drop_oldest(session: Session, recipient: str, count: int, why: str, now: float) -> Settlement:
    """End the ``count`` messages that wait longest for ``recipient``, whatever their priority."""
    done = Settlement()
    at = iso(now)
    for (row,) in session.connection.execute(_OLDEST, (recipient, count)).fetchall():
        _end(session, session.connection.execute(_DROP, (at, why, row)), now, "expired", done)
    return done


def cancel(session: Session, task_id: str, tree: bool, now: float) -> Cancelling:
    """End a message that waits, and note on one that runs that it is to end; with ``tree`` all that came of it too."""
    done = Settlement()
    running = []
    at = iso(now)
    for row, status, fence, worker, recipient in _open(session, task_id, tree):
        if status == "queued":
            _end(session, session.connection.execute(_CANCEL, (at, BEFORE_HANDLED, row)), now, "cancelled", done)
        else:
            session.connection.execute(_TELL, ("tree" if tree else "one", row))
            session.leases.forget((row,))
            running.append(Running(row, fence, worker, recipient))
    return Cancelling(done, running)


def _open(session: Session, task_id: str, tree: bool) -> list[tuple[int, str, int, str, str]]:
    statement = _OPEN_ONE
    if tree:
        found = session.connection.execute(
            "SELECT COALESCE(root_id, task_id) FROM tasks WHERE task_id = ?", (task_id,)
        ).fetchone()
        statement = _OPEN_TREE if found == (task_id,) else _OPEN_BRANCH
    return session.connection.execute(statement, (task_id,)).fetchall()


def _end(session: Session, ended: sqlite3.Cursor, now: float, status: str, done: Settlement) -> None:
    """Account for rows that waited and have just ended, which ``ended`` gives as ``_ENDED`` names them."""
    asked = []
    for row, task_id, root_id, recipient, kind, priority, delayed, wants_reply in ended.fetchall():
        session.queue((recipient, priority, bool(delayed)), -1)
        session.ended.add(status, 1)
        session.metrics.count(status, recipient, kind)
        done.ended.append((task_id, root_id, status))
        if wants_reply:
            asked.append(row)
    answer(session, asked, now, done)
