"""What alerts are about, of the messages themselves: how many are ready, and what is running."""

from __future__ import annotations

import json
from collections.abc import Collection

from peewee import Database

from squad.store.database import fetch

_READY = """
    SELECT recipient, SUM(messages) FROM queued
    WHERE delayed = 0 AND recipient IN (SELECT value FROM json_each(?)) GROUP BY recipient
"""
# A literal, not a parameter: only then is a partial index sure to be used.
_RUNNING = "SELECT EXISTS (SELECT 1 FROM tasks WHERE status = 'running')"


def ready(database: Database, recipients: Collection[str]) -> dict[str, int]:
    """How many messages could be handed out for each of these; without those that have none."""
    rows = fetch(database, _READY, json.dumps(sorted(recipients)))
    return {name: int(count) for name, count in rows if count}


def version(database: Database) -> int:
    """Of the data, as this connection sees it: another number once another connection has committed."""
    return int(fetch(database, "PRAGMA data_version")[0][0])


def anything_runs(database: Database) -> bool:
    """Whether any message is in an agent's hands."""
    return bool(fetch(database, _RUNNING)[0][0])
