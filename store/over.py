"""Whether a message has ended, and whether all has that came of it; also for what is in the archive by now."""

from __future__ import annotations

import sqlite3

_STATUS = """
    SELECT status FROM tasks WHERE task_id = ? UNION ALL SELECT status FROM tasks_archive WHERE task_id = ? LIMIT 1
"""
_ROOT = """
    SELECT COALESCE(root_id, task_id) FROM tasks WHERE task_id = ?
    UNION ALL SELECT COALESCE(root_id, task_id) FROM tasks_archive WHERE task_id = ? LIMIT 1
"""
OPEN_TREE = """
    SELECT 1 FROM tasks
    WHERE root_id = ? AND completed_at IS NULL AND status IN ('queued', 'running')
    LIMIT 1
"""  # completed_at is in the condition of the index
_OPEN_BRANCH = """
    WITH RECURSIVE branch (task_id, status) AS (
        SELECT task_id, status FROM tasks WHERE task_id = ?
        UNION
        SELECT tasks.task_id, tasks.status FROM branch JOIN tasks ON tasks.parent_id = branch.task_id
    )
    SELECT 1 FROM branch WHERE status IN ('queued', 'running') LIMIT 1
"""  # while something of it is open, all of it is in this table


def ended(connection: sqlite3.Connection, task_id: str) -> bool:
    """True when the message is stored and neither queued nor running."""
    row = connection.execute(_STATUS, (task_id, task_id)).fetchone()
    return row is not None and row[0] not in ("queued", "running")


def tree_ended(connection: sqlite3.Connection, task_id: str) -> bool:
    """True when the message has ended, and all that came of it. One index look-up for a root."""
    if not ended(connection, task_id):
        return False
    root = connection.execute(_ROOT, (task_id, task_id)).fetchone()[0]
    if connection.execute(OPEN_TREE, (root,)).fetchone() is None:
        return True
    return root != task_id and connection.execute(_OPEN_BRANCH, (task_id,)).fetchone() is None
