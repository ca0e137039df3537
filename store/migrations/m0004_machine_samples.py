"""Readings of the machine over time."""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    """
    CREATE TABLE machine_samples (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        cpu_percent REAL NOT NULL,             -- of all cores, since the reading before
        memory_percent REAL NOT NULL,
        available_bytes INTEGER NOT NULL,
        processes INTEGER NOT NULL,            -- of the squad: its core, agents and workers
        throttle_seconds REAL NOT NULL         -- the pause between two hand-outs of messages; 0: none
    )
    """,
    "CREATE INDEX machine_samples_at ON machine_samples (at)",
)


def up(connection: sqlite3.Connection) -> None:
    for statement in _STATEMENTS:
        connection.execute(statement)
