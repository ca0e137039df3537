"""Metrics in a real store, written by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from squad.store.metrics import Summary


def write(  # noqa: PLR0917 - a row of the table
    database: Path,
    name: str,
    kind: str,
    points: Mapping[tuple[int, float], Summary],
    agent: str = "",
    type: str = "",  # noqa: A002
) -> None:
    """A series with its ``points``: by step and by when it began, both in seconds."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        series = connection.execute(
            "INSERT INTO metric_series (name, agent, type, kind, updated_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (name, agent, type, kind, max((start for _, start in points), default=0)),
        ).fetchone()[0]
        connection.executemany(
            "INSERT INTO metric_points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(step, int(start), series, *summary.row()) for (step, start), summary in points.items()],
        )
