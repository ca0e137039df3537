"""Messages that expire, are cancelled, or are answered; failed attempts that are told apart from those before a replay.

``tasks`` is made anew, because a column that is added comes after the large ones, and reading it would walk through
their overflow pages. ``attempts`` is made anew for ids that are never given twice: what reads along takes up after
the last id that it saw.
"""

from __future__ import annotations

import sqlite3

_COPIED = (
    "id, task_id, parent_id, root_id, sender, recipient, type, priority, status, attempts, not_before, lease_owner,"
    " fence, claimed_at, created_at, started_at, completed_at, duration_ms, key, error_message, payload, result"
)

_VIEWS = ("bottlenecks", "agent_performance", "queue_depth")

_TASKS = """
    CREATE TABLE new_tasks (
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
        expires_at REAL,                       -- likewise; from then on it is not handled any more; NULL means never
        lease_owner TEXT,
        fence INTEGER NOT NULL DEFAULT 0,
        claimed_at TEXT,
        cancelling TEXT                        -- it runs, and was told to end: by itself, or with its whole tree
            CHECK (cancelling IN ('one', 'tree')),
        reply_to TEXT,                         -- the agent that is told how it ends
        reply_timeout REAL,                    -- seconds that this may take; NULL means any time
        reply_due REAL,                        -- when they have passed; NULL again once it was told so
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        started_at TEXT,
        completed_at TEXT,
        duration_ms INTEGER,
        key TEXT,
        error_message TEXT,
        payload TEXT NOT NULL,
        result TEXT
    )
"""

_TASKS_INDEXES = (
    # As before.
    "CREATE INDEX tasks_queued ON tasks (status, recipient, not_before, priority) WHERE status = 'queued'",
    "CREATE INDEX tasks_delayed ON tasks (not_before) WHERE status = 'queued' AND not_before IS NOT NULL",
    "CREATE INDEX tasks_open ON tasks (root_id) WHERE completed_at IS NULL",
    "CREATE INDEX tasks_running ON tasks (status, lease_owner) WHERE status = 'running'",
    "CREATE INDEX tasks_failed ON tasks (status) WHERE status = 'failed'",
    "CREATE UNIQUE INDEX tasks_key ON tasks (recipient, key) WHERE key IS NOT NULL",
    "CREATE INDEX tasks_children ON tasks (parent_id) WHERE parent_id IS NOT NULL",
    # New.
    "CREATE INDEX tasks_expiring ON tasks (expires_at) WHERE status = 'queued' AND expires_at IS NOT NULL",
    "CREATE INDEX tasks_reply_due ON tasks (reply_due) WHERE completed_at IS NULL AND reply_due IS NOT NULL",
    "CREATE INDEX tasks_ended ON tasks (completed_at) WHERE completed_at IS NOT NULL",
)

_ATTEMPTS = """
    CREATE TABLE new_attempts (                -- those which did not complete
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        task_row INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,               -- from 1; a replay does not begin at 1 again
        worker TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('error', 'timeout', 'refused', 'crash')),
        final INTEGER NOT NULL DEFAULT 0,      -- 1: it made the message a dead letter
        error TEXT NOT NULL
    )
"""

_COPY_ATTEMPTS = """
    INSERT INTO new_attempts (id, task_row, number, worker, started_at, ended_at, outcome, final, error)
    SELECT id, task_row, number, worker, started_at, ended_at, outcome,
           (SELECT status FROM tasks WHERE tasks.id = task_row) = 'failed'
               AND NOT EXISTS (SELECT 1 FROM attempts AS later WHERE later.task_row = attempts.task_row
                                                                 AND later.id > attempts.id),
           error
    FROM attempts ORDER BY id
"""


def up(connection: sqlite3.Connection) -> None:
    views = [
        connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ?", (view,)).fetchone()[0]
        for view in _VIEWS
    ]
    for view in _VIEWS:  # a view of a table that is away for a moment would keep the new one from taking its name
        connection.execute(f"DROP VIEW {view}")
    _replace(connection, "tasks", _TASKS, f"INSERT INTO new_tasks ({_COPIED}) SELECT {_COPIED} FROM tasks ORDER BY id")  # noqa: S608
    for index in _TASKS_INDEXES:
        connection.execute(index)
    _replace(connection, "attempts", _ATTEMPTS, _COPY_ATTEMPTS)
    connection.execute("CREATE INDEX attempts_task ON attempts (task_row)")
    for statement in views:
        connection.execute(statement)


def _replace(connection: sqlite3.Connection, table: str, create: str, copy: str) -> None:
    """Make ``table`` anew. Foreign keys are not enforced while the schema is brought up to date."""
    connection.execute(create)
    connection.execute(copy)
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    if last is not None:  # higher than any row's id when the last rows were deleted
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (f"new_{table}",))
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (f"new_{table}", *last))
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE new_{table} RENAME TO {table}")
