"""Metrics: their series, what was recorded of each in a minute, ten minutes or an hour, and a view for people.

Points lie in the order of time, so that those of a minute are written side by side, on a few pages, and those that are
old are removed side by side. A point whose values were all the same has only their count and sum.
"""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    """
    CREATE TABLE metric_series (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        agent TEXT NOT NULL,                   -- '': the squad's, or the machine's
        type TEXT NOT NULL,                    -- '': of no message's type
        kind TEXT NOT NULL CHECK (kind IN ('counter', 'gauge', 'histogram')),
        count INTEGER NOT NULL DEFAULT 0,      -- of all values since the series began; only grows
        sum REAL NOT NULL DEFAULT 0,
        last REAL,                             -- of a gauge
        updated_at REAL NOT NULL DEFAULT 0,    -- seconds since the epoch
        buckets TEXT,                          -- of a histogram, as in metric_points
        UNIQUE (name, agent, type)
    )
    """,
    """
    CREATE TABLE metric_points (
        step INTEGER NOT NULL,                 -- seconds: 60, 600 or 3600
        start INTEGER NOT NULL,                -- seconds since the epoch, a multiple of step
        series INTEGER NOT NULL,               -- metric_series.id
        count INTEGER NOT NULL,
        sum REAL NOT NULL,
        least REAL,
        most REAL,
        last REAL,
        buckets TEXT,                          -- JSON array: place and count in turn (store/metrics/histogram.py)
        PRIMARY KEY (step, start, series)
    ) WITHOUT ROWID
    """,
    """
    CREATE VIEW agent_metrics AS
        SELECT NULLIF(s.agent, '') AS agent,
               s.name AS metric_name,
               CASE s.kind WHEN 'counter' THEN p.sum ELSE p.sum / p.count END AS metric_value,
               strftime('%Y-%m-%dT%H:%M:%S.000Z', p.start, 'unixepoch') AS timestamp,
               NULLIF(s.type, '') AS type,
               s.kind AS kind,
               p.step AS seconds,
               p.count AS count,
               CASE s.kind WHEN 'counter' THEN NULL ELSE COALESCE(p.least, p.sum / p.count) END AS least,
               CASE s.kind WHEN 'counter' THEN NULL ELSE COALESCE(p.most, p.sum / p.count) END AS most
        FROM metric_points AS p JOIN metric_series AS s ON s.id = p.series
    """,
    # When a message became ready, where that is not its created_at: it was delayed, given back, or tried again.
    "ALTER TABLE tasks ADD COLUMN ready_at REAL",
    "ALTER TABLE tasks_archive ADD COLUMN ready_at REAL",
)


def up(connection: sqlite3.Connection) -> None:
    for statement in _STATEMENTS:
        connection.execute(statement)
