"""An archive of finished messages, and of their failed attempts: the same columns, and few indexes."""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    """
    CREATE TABLE tasks_archive (
        id INTEGER PRIMARY KEY,                -- as it was in tasks, where it is never given again
        task_id TEXT NOT NULL,                 -- not UNIQUE: a message may be sent again with the id of an archived one
        parent_id TEXT,
        root_id TEXT,
        sender TEXT NOT NULL,
        recipient TEXT NOT NULL,
        type TEXT NOT NULL,
        priority INTEGER NOT NULL,
        status TEXT NOT NULL
            CHECK (status = 'completed' OR status = 'failed' OR status = 'cancelled' OR status = 'expired'),
        attempts INTEGER NOT NULL,
        not_before REAL,
        expires_at REAL,
        lease_owner TEXT,
        fence INTEGER NOT NULL,
        claimed_at TEXT,
        cancelling TEXT,
        reply_to TEXT,
        reply_timeout REAL,
        reply_due REAL,
        created_at TEXT NOT NULL,
        started_at TEXT,
        completed_at TEXT,
        duration_ms INTEGER,
        key TEXT,
        error_message TEXT,
        payload TEXT NOT NULL,
        result TEXT,
        traceparent TEXT
    )
    """,
    "CREATE INDEX tasks_archive_id ON tasks_archive (task_id)",
    "CREATE INDEX tasks_archive_children ON tasks_archive (parent_id) WHERE parent_id IS NOT NULL",
    "CREATE INDEX tasks_archive_ended ON tasks_archive (completed_at)",
    """
    CREATE TABLE attempts_archive (
        id INTEGER PRIMARY KEY,
        task_row INTEGER NOT NULL REFERENCES tasks_archive (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        worker TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT NOT NULL,
        outcome TEXT NOT NULL,
        final INTEGER NOT NULL,
        error TEXT NOT NULL
    )
    """,
    "CREATE INDEX attempts_archive_task ON attempts_archive (task_row)",
)


def up(connection: sqlite3.Connection) -> None:
    for statement in _STATEMENTS:
        connection.execute(statement)
