"""Totals of what has ended, and a check of ``status`` that costs next to nothing.

To count millions of messages takes seconds, so their number is kept. What waits, runs or has failed is counted by the
indexes on it.

SQLite makes a temporary index for ``status IN (…)`` each time that it checks a row, which was a fourth of the work of
a message. The rows need no change for it: the text of the table is replaced, in the way that SQLite's documentation
gives for what does not affect how rows are stored (https://www.sqlite.org/lang_altertable.html, section 7).
"""

from __future__ import annotations

import sqlite3

_OLD = "CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled', 'expired'))"
_NEW = (
    "CHECK (status = 'queued' OR status = 'running' OR status = 'completed' OR status = 'failed'"
    " OR status = 'cancelled' OR status = 'expired')"
)
_TOTALS = """
    CREATE TABLE totals (                      -- of the messages that are kept, by how they have ended
        status TEXT PRIMARY KEY,               -- completed, cancelled, expired
        messages INTEGER NOT NULL
    ) WITHOUT ROWID
"""
_COUNT = """
    INSERT INTO totals (status, messages)
    SELECT column1, (SELECT COUNT(*) FROM tasks WHERE completed_at IS NOT NULL AND status = column1)
    FROM (VALUES ('completed'), ('cancelled'), ('expired'))
"""


def up(connection: sqlite3.Connection) -> None:
    connection.execute(_TOTALS)
    connection.execute(_COUNT)
    version = connection.execute("PRAGMA schema_version").fetchone()[0]
    connection.execute("PRAGMA writable_schema = ON")
    try:
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'tasks'", (_OLD, _NEW)
        )
        connection.execute(f"PRAGMA schema_version = {version + 1}")
    finally:
        connection.execute("PRAGMA writable_schema = RESET")  # and reads the schema anew
