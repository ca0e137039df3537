"""How many messages wait, kept and not counted: a queue may hold millions. Of dead letters the total as well."""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    """
    CREATE TABLE queued (                      -- how many messages wait; the writer changes it with each transaction
        recipient TEXT NOT NULL,
        priority INTEGER NOT NULL,
        delayed INTEGER NOT NULL,              -- 1: until their time has come
        messages INTEGER NOT NULL,
        PRIMARY KEY (recipient, priority, delayed)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO queued (recipient, priority, delayed, messages)
    SELECT recipient, priority, not_before IS NOT NULL, COUNT(*) FROM tasks WHERE status = 'queued' GROUP BY 1, 2, 3
    """,
    "INSERT INTO totals (status, messages) SELECT 'failed', COUNT(*) FROM tasks WHERE status = 'failed'",
    "DROP VIEW queue_depth",
    """
    CREATE VIEW queue_depth AS
        SELECT recipient AS agent,
               SUM(messages) AS queued_tasks,
               SUM(messages * (priority <= 2)) AS high_priority,
               SUM(messages * (priority BETWEEN 3 AND 7)) AS normal_priority,
               SUM(messages * (priority >= 8)) AS low_priority
        FROM queued
        GROUP BY recipient
        HAVING SUM(messages) > 0
    """,
)


def up(connection: sqlite3.Connection) -> None:
    for statement in _STATEMENTS:
        connection.execute(statement)
