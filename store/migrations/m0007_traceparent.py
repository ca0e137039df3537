"""The trace that a message belongs to, where that began outside the squad.

The column comes after the large ones, and that costs nothing: where it is NULL, as nearly always, SQLite knows so from
the head of the row; and a claim, the one hot statement that reads it, has read the payload before it.
"""

from __future__ import annotations

import sqlite3


def up(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE tasks ADD COLUMN traceparent TEXT")  # of W3C Trace Context; NULL: its root's own
