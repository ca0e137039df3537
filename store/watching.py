"""What alerts are about, of the messages themselves: how many are ready, and what is running."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from peewee import Database

_MOST = 100_000  # messages that are counted of one queue: beyond that it does not matter how many there are

# Literals, not parameters: only then is a partial index sure to be used.
_READY = """
    SELECT value, (
        SELECT COUNT(*) FROM (
            SELECT 1 FROM tasks
            WHERE status = 'queued' AND recipient = value AND not_before IS NULL LIMIT ?
        )
    ) FROM json_each(?)
"""
_RUNNING = "SELECT EXISTS (SELECT 1 FROM tasks WHERE status = 'running')"


def ready(database: Database, recipients: Collection[str]) -> dict[str, int]:
    """How many messages could be handed out for each of these; without those that have none."""
    rows = _rows(database, _READY, _MOST, json.dumps(sorted(recipients)))
    return {name: int(count) for name, count in rows if count}


def version(database: Database) -> int:
    """Of the data, as this connection sees it: another number once another connection has committed."""
    return int(_rows(database, "PRAGMA data_version")[0][0])


def anything_runs(database: Database) -> bool:
    """Whether any message is in an agent's hands."""
    return bool(_rows(database, _RUNNING)[0][0])


def _rows(database: Database, sql: str, *parameters: object) -> list[Any]:
    found: list[Any] = database.execute_sql(sql, parameters).fetchall()  # type: ignore[no-untyped-call]
    return found
