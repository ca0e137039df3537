"""A database with rows that ended long ago, made quickly."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from squad.ids import new_id
from squad.store.times import iso

DAY = 86_400.0
_TASK = (
    "INSERT INTO tasks (task_id, parent_id, root_id, sender, recipient, type, status, attempts, fence, created_at,"
    " started_at, completed_at, duration_ms, error_message, payload) VALUES (?, ?, ?, 'cli', ?, 't', ?, 1, 1, ?, ?, ?,"
    " 1, ?, ?)"
)
_ATTEMPT = (
    "INSERT INTO attempts (task_row, number, worker, ended_at, outcome, final, error)"
    " VALUES (?, 1, 'w', ?, 'error', 1, 'x')"
)


class Old(NamedTuple):
    """A message that ended (None: is open) at ``ended``, seconds since the epoch. ``parent``: its place in the list."""

    ended: float | None
    parent: int | None = None
    status: str = "completed"
    recipient: str = "a"


def fill(path: Path, messages: Sequence[Old], payload: str = "{}") -> list[str]:
    """Put these into a database that a Writer has made, with the counts as they are then. Their ids."""
    ids: list[str] = []
    roots: list[str] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for ended, parent, status, recipient in messages:
            task_id = new_id()
            roots.append(task_id if parent is None else roots[parent])
            at = None if ended is None else iso(ended)
            state = "queued" if ended is None else status
            error = "x" if state == "failed" else None
            values = (task_id, None if parent is None else ids[parent], roots[-1], recipient, state, iso(1.0))
            row = connection.execute(_TASK, (*values, at and iso(1.0), at, error, payload)).lastrowid
            ids.append(task_id)
            if state == "failed":
                connection.execute(_ATTEMPT, (row, at))
        connection.execute(
            "UPDATE totals SET messages = (SELECT COUNT(*) FROM tasks WHERE tasks.status = totals.status)"
        )
        connection.execute("DELETE FROM queued")
        connection.execute(
            "INSERT INTO queued SELECT recipient, priority, not_before IS NOT NULL, COUNT(*) FROM tasks"
            " WHERE status = 'queued' GROUP BY 1, 2, 3"
        )
        connection.execute("COMMIT")
    return ids


def history(path: Path, moments: Sequence[float]) -> None:
    """An event, a reading of the machine and a change of a convoy's size at each of these."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for moment in moments:
            at = iso(moment)
            connection.execute("INSERT INTO events (at, kind, subject, detail) VALUES (?, 'ready', 'a', '{}')", (at,))
            connection.execute(
                "INSERT INTO machine_samples (at, cpu_percent, memory_percent, available_bytes, processes,"
                " throttle_seconds) VALUES (?, 1, 1, 1, 1, 0)",
                (at,),
            )
            connection.execute(
                "INSERT INTO convoy_resizes (at, convoy, from_size, to_size, reason, readings)"
                " VALUES (?, 'c', 1, 2, 'r', '{}')",
                (at,),
            )
        connection.execute("COMMIT")
