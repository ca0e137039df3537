"""How messages become rows: from outside, from handlers, and as replies."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Sequence

from squad.store.rows import NewTask
from squad.store.session import Session

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
    INSERT INTO tasks (task_id, parent_id, root_id, sender, recipient, type, priority, not_before, expires_at,
                       reply_to, reply_timeout, reply_due, created_at, key, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
_RECIPIENT = 4  # its place in the parameters

Parameters = tuple[object, ...]


class _Partly(Exception):  # noqa: N818 - not an error
    """Some of the messages were there already."""


def to_insert(task: NewTask, now: float, at: str, parent: str | None = None, root: str | None = None) -> Parameters:
    """Parameters of ``INSERT``. ``at`` is ``now`` as text; ``parent`` and ``root`` serve a task that names none."""
    return (
        task.task_id,
        task.parent_id or parent,
        task.root_id or root or task.task_id,
        task.sender,
        task.recipient,
        task.type,
        task.priority,
        task.delayed_until(now),
        task.expires_at,
        task.reply_to,
        task.reply_timeout,
        task.reply_due(now),
        at,
        task.key,
        task.payload,
    )


def insert(session: Session, values: Sequence[Parameters]) -> list[bool]:
    """Store rows; for each whether it was not there before, by its id or its key.

    Raises one of BAD_ROW when one of them cannot be stored; none is stored then.
    """
    with contextlib.suppress(_Partly), session.savepoint():
        if session.connection.executemany(INSERT, values).rowcount < len(values):
            raise _Partly
        _count(session, values)
        return [True] * len(values)
    with session.savepoint():
        fresh = [session.connection.execute(INSERT, parameters).rowcount == 1 for parameters in values]
        _count(session, [parameters for parameters, new in zip(values, fresh, strict=True) if new])
        return fresh


def _count(session: Session, values: Sequence[Parameters]) -> None:
    for recipient, number in Counter(parameters[_RECIPIENT] for parameters in values).items():
        session.depths.add(str(recipient), number)


def storable(text: str) -> str:
    """``text`` with what is no Unicode written as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
