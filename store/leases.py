"""The leases that the writer has given out, remembered, so that their rows need not be read again when they end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

_COLUMNS = """
    SELECT id, fence, lease_owner, recipient, type, attempts, task_id, COALESCE(root_id, task_id), claimed_at,
           expires_at, reply_to, COALESCE(ready_at, created_at), priority, cancelling
    FROM tasks
"""
OF_WORKER = f"{_COLUMNS} WHERE status = 'running' AND lease_owner = ?"
OF_ROW = f"{_COLUMNS} WHERE id = ? AND status = 'running'"


class Leased(NamedTuple):
    """A running row."""

    row: int
    fence: int
    worker: str
    recipient: str
    type: str
    attempts: int
    task_id: str
    root_id: str
    claimed_at: str
    expires_at: float | None
    reply_to: str | None
    ready: str | float  # since when it could be handled: as text, or in seconds since the epoch
    priority: int
    cancelling: str | None = None

    def held_by(self, worker: str, fence: int) -> bool:
        return self.fence == fence and self.worker == worker


class Leases:
    """See the module. It may forget any of them at any time, but never knows one that is not as it says."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[int, Leased] = {}

    def remember(self, leases: Iterable[Leased]) -> None:
        self._known.update((leased.row, leased) for leased in leases)

    def forget(self, rows: Iterable[int]) -> None:
        """They have ended, or something about them has changed."""
        for row in rows:
            self._known.pop(row, None)

    def forget_all(self) -> None:
        """Something was undone."""
        self._known.clear()

    def of_rows(self, rows: Iterable[int]) -> dict[int, Leased]:
        """Those of these rows that are running, by row."""
        found = {}
        for row in rows:
            leased = self._known.get(row)
            if leased is None and (read := self._connection.execute(OF_ROW, (row,)).fetchone()) is not None:
                leased = Leased(*read)
            if leased is not None:
                found[row] = leased
        return found

    def of_worker(self, worker: str) -> dict[int, Leased]:
        """All that this worker has, by row."""
        return {row[0]: Leased(*row) for row in self._connection.execute(OF_WORKER, (worker,)).fetchall()}
