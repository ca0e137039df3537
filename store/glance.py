"""The newest messages at a glance, for the shell's completion: quicker than the pool, as it needs no peewee."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from squad.store.faults import store_error

_NEWEST = 2000  # messages in which types are looked for
_PATIENCE = 0.1  # seconds for a lock, and for looking
_STEPS = 1000  # of SQLite's machine between two looks at the clock


class Glimpse(NamedTuple):
    task_id: str
    recipient: str
    type: str
    status: str


def messages(path: Path, beginning: str, statuses: Collection[str] = (), limit: int = 50) -> list[Glimpse]:
    """The newest messages whose id begins like that, of those statuses (none named: of any).

    Raises StoreError, also when it takes longer than a tenth of a second.
    """
    found = _rows(
        path,
        "SELECT task_id, recipient, type, status FROM tasks WHERE task_id >= ? AND task_id < ?"
        " AND (? OR status IN (SELECT value FROM json_each(?))) ORDER BY task_id DESC LIMIT ?",
        (beginning, beginning + "\U0010ffff", not statuses, json.dumps(list(statuses)), limit),
    )
    return [Glimpse(*row) for row in found]


def types(path: Path, recipient: str | None = None) -> list[str]:
    """The types of the newest messages, to that recipient or to all, sorted. Raises StoreError likewise."""
    found = _rows(
        path,
        "SELECT DISTINCT type FROM (SELECT type, recipient FROM tasks ORDER BY id DESC LIMIT ?)"
        " WHERE ? IS NULL OR recipient = ? ORDER BY type",
        (_NEWEST, recipient, recipient),
    )
    return [str(row[0]) for row in found]


def _rows(path: Path, sql: str, parameters: tuple[object, ...]) -> list[tuple[str, ...]]:
    deadline = time.monotonic() + _PATIENCE
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_PATIENCE)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            return connection.execute(sql, parameters).fetchall()
    except sqlite3.Error as error:
        raise store_error(error, path) from None
