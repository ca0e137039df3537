"""Telling an agent how a message ended that it sent with ``reply_to``: by another message, in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable

from squad.ids import new_id
from squad.replies import REPLY
from squad.store.inserting import insert, to_insert
from squad.store.rows import NewTask
from squad.store.session import Session
from squad.store.settlement import Settlement
from squad.store.times import iso

# Once the time-out was told (reply_due is NULL again) no reply is owed any more.
_ASKED = """
    SELECT task_id, COALESCE(root_id, task_id), recipient, type, priority, reply_to, status, error_message, result
    FROM tasks
    WHERE id = ? AND reply_to IS NOT NULL AND (reply_timeout IS NULL OR reply_due IS NOT NULL)
"""
_TIMED_OUT = """
    UPDATE tasks INDEXED BY tasks_reply_due SET reply_due = NULL
    WHERE completed_at IS NULL AND reply_due IS NOT NULL AND reply_due <= ?
    RETURNING task_id, COALESCE(root_id, task_id), recipient, type, priority, reply_to, reply_timeout
"""


def answer(session: Session, rows: Iterable[int], now: float, done: Settlement) -> None:
    """Send the replies that are owed for messages which have just ended."""
    replies = []
    for row in rows:
        asked = session.connection.execute(_ASKED, (row,)).fetchone()
        if asked is not None:
            *about, status, error, result = asked
            replies.append(_reply(*about, status, error or "", result))
    _send(session, replies, now, done)


def time_out(session: Session, now: float, done: Settlement) -> None:
    """Tell those whose time for a reply is over; what the message comes to is not told any more."""
    late = session.connection.execute(_TIMED_OUT, (now,)).fetchall()
    replies = [_reply(*about, "timed_out", f"no reply came within {timeout:g} s", None) for *about, timeout in late]
    _send(session, replies, now, done)


def _reply(  # noqa: PLR0913, PLR0917 - a row of the statements above
    task_id: str,
    root_id: str,
    recipient: str,
    kind: str,
    priority: int,
    reply_to: str,
    status: str,
    error: str,
    result: str | None,
) -> NewTask:
    head = json.dumps({"of": task_id, "type": kind, "status": status, "error": error}, ensure_ascii=False)
    payload = f'{head[:-1]}, "result": {result or "null"}}}'  # the result is JSON text already
    return NewTask(new_id(), recipient, reply_to, REPLY, payload, priority, parent_id=task_id, root_id=root_id)


def _send(session: Session, replies: list[NewTask], now: float, done: Settlement) -> None:
    if not replies:
        return
    at = iso(now)
    insert(session, [to_insert(reply, now, at) for reply in replies])
    done.woken.update(reply.recipient for reply in replies)
