"""How messages become rows: from outside, from handlers, and as replies."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import cast

from squad.store.bulk import Bulk
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

_COLUMNS = "task_id, parent_id, root_id, sender, recipient, type, priority, created_at, payload"
_MORE = "not_before, expires_at, reply_to, reply_timeout, reply_due, key, traceparent"
_INSERT = "INSERT INTO tasks ({columns}) VALUES {{rows}} ON CONFLICT DO NOTHING"

# Two kinds, since Python takes its time over each None that it hands to SQLite; hence also the empty parent's detour.
PLAIN = Bulk(_INSERT.format(columns=_COLUMNS), "(?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?, ?)")
FULL = Bulk(_INSERT.format(columns=f"{_COLUMNS}, {_MORE}"), f"(?, NULLIF(?, ''){', ?' * 14})")
_WIDTH = 9  # of a row of PLAIN
_NOT_BEFORE = 9  # the place of it in a row of FULL
_WHERE = slice(4, 7)  # recipient, type and priority in either
_NO_MORE = [None] * 6  # of a NewTask that is a row of PLAIN

Parameters = tuple[object, ...]


class _Partly(Exception):  # noqa: N818 - not an error
    """Some of the messages were there already."""


def to_insert(task: NewTask, now: float, at: str, parent: str = "", root: str | None = None) -> Parameters:
    """A row of ``PLAIN`` or ``FULL``; ``at`` is ``now`` as text. ``parent`` and ``root`` serve a task that has none."""
    task_id, sender, recipient, kind, payload, priority, own_parent, own_root, *more = task
    common = (
        task_id,
        own_parent or parent,
        own_root or root or task_id,
        sender,
        recipient,
        kind,
        priority,
        at,
        payload,
    )
    if more == _NO_MORE:
        return common
    return (
        *common,
        task.delayed_until(now),
        task.expires_at,
        task.reply_to,
        task.reply_timeout,
        task.reply_due(now),
        task.key,
        task.traceparent,
    )


def is_plain(row: Parameters) -> bool:
    """It is ready at once, and nothing is ever due."""
    return len(row) == _WIDTH


def insert(session: Session, values: Sequence[Parameters]) -> list[bool]:
    """Store rows; for each whether it was not there before, by its id or its key.

    Raises one of BAD_ROW when one of them cannot be stored; none is stored then.
    """
    with contextlib.suppress(_Partly), session.savepoint():
        if put(session, values) < len(values):
            raise _Partly
        _count(session, values)
        return [True] * len(values)
    with session.savepoint():
        fresh = [put(session, [parameters]) == 1 for parameters in values]
        _count(session, [parameters for parameters, new in zip(values, fresh, strict=True) if new])
        return fresh


def put(session: Session, values: Sequence[Parameters]) -> int:
    """How many of them were not there before. Those are in, in this order, but not counted yet."""
    put = 0
    for width, rows in groupby(values, key=len):  # the order is their age
        put += (PLAIN if width == _WIDTH else FULL).run(session.connection, list(rows))
    return put


def _count(session: Session, values: Sequence[Parameters]) -> None:
    for where, number in Counter([row[_WHERE] for row in values]).items():
        recipient, kind, priority = cast(tuple[str, str, int], where)
        session.queue((recipient, priority, False), number)
        session.metrics.count("queued", recipient, kind, number)
    if max(map(len, values), default=0) > _WIDTH:
        delayed = [row[_WHERE] for row in values if not is_plain(row) and row[_NOT_BEFORE] is not None]
        for where, number in Counter(delayed).items():
            recipient, _, priority = cast(tuple[str, str, int], where)
            session.delay(recipient, priority, number)


def storable(text: str) -> str:
    """``text`` with what is no Unicode written as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
