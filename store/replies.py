"""Telling an agent how a message ended that it sent with ``reply_to``: by another message, in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from squad import trace
from squad.ids import new_id
from squad.replies import REPLY
from squad.store.inserting import insert, to_insert
from squad.store.rows import NewTask
from squad.store.session import Session
from squad.store.settlement import Settlement
from squad.store.times import iso

# Once the time-out was told (reply_due is NULL again) no reply is owed any more.
_ASKED = """
    SELECT task_id, COALESCE(root_id, task_id), recipient, type, priority, reply_to, traceparent,
           status, COALESCE(error_message, ''), COALESCE(result, 'null')
    FROM tasks
    WHERE id = ? AND reply_to IS NOT NULL AND (reply_timeout IS NULL OR reply_due IS NOT NULL)
"""
_TIMED_OUT = """
    UPDATE tasks INDEXED BY tasks_reply_due SET reply_due = NULL
    WHERE completed_at IS NULL AND reply_due IS NOT NULL AND reply_due <= ?
    RETURNING task_id, COALESCE(root_id, task_id), recipient, type, priority, reply_to, traceparent, reply_timeout
"""


class _Asked(NamedTuple):
    """A message whose sender is owed a reply, and what it is."""

    task_id: str
    root_id: str
    recipient: str
    type: str
    priority: int
    reply_to: str
    traceparent: str | None
    status: str
    error: str
    result: str = "null"  # JSON text


def answer(session: Session, rows: Iterable[int], now: float, done: Settlement) -> None:
    """Send the replies that are owed for messages which have just ended."""
    replies = []
    for row in rows:
        asked = session.connection.execute(_ASKED, (row,)).fetchone()
        if asked is not None:
            replies.append(_reply(_Asked(*asked)))
    _send(session, replies, now, done)


def time_out(session: Session, now: float, done: Settlement) -> None:
    """Tell those whose time for a reply is over; what the message comes to is not told any more."""
    late = session.connection.execute(_TIMED_OUT, (now,)).fetchall()
    asked = [(*about, "timed_out", f"no reply came within {timeout:g} s") for *about, timeout in late]
    _send(session, [_reply(_Asked(*one)) for one in asked], now, done)


def _reply(asked: _Asked) -> NewTask:
    about = {"of": asked.task_id, "type": asked.type, "status": asked.status, "error": asked.error}
    payload = f'{json.dumps(about, ensure_ascii=False)[:-1]}, "result": {asked.result}}}'  # which is JSON already
    return NewTask(
        new_id(),
        asked.recipient,
        asked.reply_to,
        REPLY,
        payload,
        asked.priority,
        parent_id=asked.task_id,
        root_id=asked.root_id,
        traceparent=trace.inherited(asked.task_id, asked.traceparent),
    )


def _send(session: Session, replies: list[NewTask], now: float, done: Settlement) -> None:
    if not replies:
        return
    at = iso(now)
    insert(session, [to_insert(reply, now, at) for reply in replies])
    done.woken.update(reply.recipient for reply in replies)
