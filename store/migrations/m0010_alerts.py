"""Alerts that fired, and what people have silenced."""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    """
    CREATE TABLE alerts (
        id INTEGER PRIMARY KEY,
        alert_id TEXT NOT NULL UNIQUE,
        rule TEXT NOT NULL,
        agent TEXT NOT NULL,                   -- or convoy; empty: it is about the squad or the machine
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        summary TEXT NOT NULL,
        value REAL,                            -- what was read when it fired, in the unit
        threshold REAL,
        unit TEXT NOT NULL,
        fired_at TEXT NOT NULL,
        told_at TEXT,                          -- when the sinks were told; null: it was silenced so far
        reminded_at TEXT,
        reminders INTEGER NOT NULL DEFAULT 0,
        acked_at TEXT,
        acked_by TEXT,
        note TEXT,                             -- what was said with the acknowledgement
        cleared_at TEXT                        -- null: it goes on
    )
    """,
    "CREATE UNIQUE INDEX alerts_open ON alerts (rule, agent) WHERE cleared_at IS NULL",
    "CREATE INDEX alerts_cleared ON alerts (cleared_at) WHERE cleared_at IS NOT NULL",
    """
    CREATE TABLE alert_silences (
        id INTEGER PRIMARY KEY,
        silence_id TEXT NOT NULL UNIQUE,
        rule TEXT,                             -- null: every rule
        agent TEXT,                            -- null: every agent
        since TEXT NOT NULL,
        until TEXT NOT NULL,
        by TEXT,
        reason TEXT,
        ended_at TEXT                          -- when it was ended by hand
    )
    """,
    "CREATE INDEX alert_silences_until ON alert_silences (until)",
)


def up(connection: sqlite3.Connection) -> None:
    for statement in _STATEMENTS:
        connection.execute(statement)
