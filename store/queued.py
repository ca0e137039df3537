"""The newest of the messages that wait, found without reading or sorting all of them: there may be a million."""

from __future__ import annotations

import json

from peewee import Database

from squad.store.database import fetch

# In each place (a recipient's messages of one priority that are ready) the index has them in the order of arrival. Of
# the places only those count whose newest message is among the newest of all places.
NEWEST = """
    WITH places AS MATERIALIZED (
        SELECT recipient, priority, (
            SELECT id FROM tasks
            WHERE status = 'queued' AND tasks.recipient = queued.recipient AND not_before IS NULL
              AND tasks.priority = queued.priority AND id < ?2
            ORDER BY id DESC LIMIT 1
        ) AS newest
        FROM queued WHERE delayed = 0 AND messages > 0 AND recipient = COALESCE(?1, recipient)
        ORDER BY newest DESC LIMIT ?3
    ),
    ready (id) AS (
        SELECT tasks.id FROM places CROSS JOIN tasks ON tasks.id IN (
            SELECT id FROM tasks
            WHERE status = 'queued' AND tasks.recipient = places.recipient AND not_before IS NULL
              AND tasks.priority = places.priority AND id < ?2
            ORDER BY id DESC LIMIT ?3
        )
    ),
    delayed (id) AS (
        SELECT tasks.id FROM (
            SELECT DISTINCT recipient FROM queued
            WHERE delayed = 1 AND messages > 0 AND recipient = COALESCE(?1, recipient)
        ) AS someone CROSS JOIN tasks INDEXED BY tasks_queued
        WHERE status = 'queued' AND tasks.recipient = someone.recipient AND not_before IS NOT NULL AND tasks.id < ?2
    )
    SELECT id FROM ready UNION ALL SELECT id FROM delayed ORDER BY id DESC LIMIT ?3
"""
_LAST = (1 << 63) - 1
_SORTED = 10  # messages that are sorted in the time that one is found in its place

_WAITING = "SELECT COUNT(*), COALESCE(SUM(messages), 0) FROM queued WHERE recipient = COALESCE(?, recipient)"


def are_many(database: Database, agent: str | None, limit: int) -> bool:
    """Whether so many wait for ``agent`` that ``newest`` is quicker than to sort all of them for ``limit``."""
    ((places, messages),) = fetch(database, _WAITING, agent)
    return bool(messages > _SORTED * min(places, limit) * limit)


def newest(database: Database, agent: str | None, before: int | None, limit: int) -> str:
    """The rows of the newest ``limit`` that wait for ``agent`` (None: for anybody), below ``before``; a JSON array.

    What it takes grows with the places, and with the messages that are delayed, which are in the order of their times.
    """
    found = fetch(database, NEWEST, agent, _LAST if before is None else before, limit)
    return json.dumps([row for (row,) in found])
