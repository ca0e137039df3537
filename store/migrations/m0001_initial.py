"""Messages, their failed attempts, agents' state, history, and the views for people.

Columns that may be large (``payload``, ``result``, ``error_message``) come last, so that reading the others never
walks through overflow pages.
"""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # only takes effect before the first table exists
    """
    CREATE TABLE tasks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of arrival; never given twice, since leases are named by it
        task_id TEXT NOT NULL UNIQUE,
        parent_id TEXT,
        root_id TEXT,                          -- NULL means the same as its own task_id
        sender TEXT NOT NULL,
        recipient TEXT NOT NULL,
        type TEXT NOT NULL,
        priority INTEGER NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
        status TEXT NOT NULL DEFAULT 'queued'
            CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled', 'expired')),
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        not_before REAL,                       -- seconds since the epoch; NULL means ready
        lease_owner TEXT,
        fence INTEGER NOT NULL DEFAULT 0,
        claimed_at TEXT,
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        started_at TEXT,
        completed_at TEXT,
        duration_ms INTEGER,
        key TEXT,
        error_message TEXT,
        payload TEXT NOT NULL,
        result TEXT
    )
    """,
    # Claiming in order without a sort. The constant status leads so that queue depths come from the index alone.
    "CREATE INDEX tasks_queued ON tasks (status, recipient, not_before, priority) WHERE status = 'queued'",
    "CREATE INDEX tasks_delayed ON tasks (not_before) WHERE status = 'queued' AND not_before IS NOT NULL",
    # Has everything ended that a message set off? By completed_at, which does not change when a message is claimed:
    # every end sets it, every way back to the queue clears it.
    "CREATE INDEX tasks_open ON tasks (root_id) WHERE completed_at IS NULL",
    "CREATE INDEX tasks_running ON tasks (status, lease_owner) WHERE status = 'running'",
    "CREATE INDEX tasks_failed ON tasks (status) WHERE status = 'failed'",
    "CREATE UNIQUE INDEX tasks_key ON tasks (recipient, key) WHERE key IS NOT NULL",
    "CREATE INDEX tasks_children ON tasks (parent_id) WHERE parent_id IS NOT NULL",
    """
    CREATE TABLE attempts (                    -- those which did not complete
        id INTEGER PRIMARY KEY,
        task_row INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        worker TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('error', 'timeout', 'refused', 'crash')),
        error TEXT NOT NULL
    )
    """,
    "CREATE INDEX attempts_task ON attempts (task_row)",
    """
    CREATE TABLE agent_state (
        agent TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        updated_at TEXT NOT NULL,
        state TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE convoy_resizes (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        convoy TEXT NOT NULL,
        from_size INTEGER NOT NULL,
        to_size INTEGER NOT NULL,
        reason TEXT NOT NULL,
        readings TEXT NOT NULL
    )
    """,
    "CREATE INDEX convoy_resizes_convoy ON convoy_resizes (convoy)",
    "CREATE TABLE keeper (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at TEXT NOT NULL)",
    """
    CREATE VIEW bottlenecks AS
        SELECT task_id, recipient AS agent, type, duration_ms, created_at, started_at, completed_at
        FROM tasks
        WHERE status = 'completed' AND duration_ms IS NOT NULL
        ORDER BY duration_ms DESC
        LIMIT 100
    """,
    """
    CREATE VIEW agent_performance AS
        SELECT recipient AS agent,
               COUNT(*) AS total_tasks,
               SUM(status = 'completed') AS completed_tasks,
               SUM(status = 'failed') AS failed_tasks,
               AVG(duration_ms) FILTER (WHERE status = 'completed') AS avg_duration_ms,
               MAX(duration_ms) FILTER (WHERE status = 'completed') AS max_duration_ms,
               MIN(duration_ms) FILTER (WHERE status = 'completed') AS min_duration_ms
        FROM tasks
        GROUP BY recipient
    """,
    """
    CREATE VIEW queue_depth AS
        SELECT recipient AS agent,
               COUNT(*) AS queued_tasks,
               SUM(priority <= 2) AS high_priority,
               SUM(priority BETWEEN 3 AND 7) AS normal_priority,
               SUM(priority >= 8) AS low_priority
        FROM tasks
        WHERE status = 'queued'
        GROUP BY recipient
    """,
)


def up(connection: sqlite3.Connection) -> None:
    for statement in _STATEMENTS:
        connection.execute(statement)
