"""How the squad's work stands at this moment, in numbers: what is read once a second while somebody looks on.

Indexes and kept counts are all that it reads: what it costs does not grow with what waits, nor with what has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from peewee import Database

from squad.store import alerts, queries, waiting
from squad.store.alerts import Incident
from squad.store.database import fetch
from squad.store.holds import Holds
from squad.store.queries import Depth
from squad.store.searching import first_since, highest
from squad.store.times import iso, seconds

_MINUTE = 60.0
_MOST_ENDS = 3000  # looked at for a rate; a squad that is busier has its rate from less than a minute
_MOST_DEAD = 1000  # newest dead letters among which those of the last hour are counted


class Sample(NamedTuple):
    """The machine's last reading: ``at`` is ISO 8601 text."""

    at: str
    cpu_percent: float
    memory_percent: float
    available_bytes: int
    processes: int
    throttle_seconds: float


@dataclass(frozen=True, slots=True)
class Standing:
    """``first``: since when (ISO 8601) the message waits that each recipient is handed next. Rates are a minute's."""

    totals: Mapping[str, int]
    depths: Mapping[str, Depth]
    running: Mapping[str, int]
    first: Mapping[str, str]
    arrived_per_minute: float
    ended_per_minute: float
    died_last_hour: int
    holds: Holds
    firing: Sequence[Incident]
    sample: Sample | None


# Literals, not parameters: only then is a partial index sure to be used.
_NEXT = """
    SELECT created_at FROM tasks WHERE status = 'queued' AND recipient = ? AND not_before IS NULL
    ORDER BY priority, id LIMIT 1
"""
_ENDED = """
    SELECT COUNT(*), MIN(completed_at) FROM (
        SELECT completed_at FROM tasks WHERE completed_at IS NOT NULL AND completed_at >= ?
        ORDER BY completed_at DESC LIMIT ?
    )
"""
_DIED = """
    SELECT COUNT(*) FROM (SELECT completed_at FROM tasks WHERE status = 'failed' ORDER BY id DESC LIMIT ?)
    WHERE completed_at >= ?
"""
_RUNNING = "SELECT recipient, COUNT(*) FROM tasks WHERE status = 'running' GROUP BY recipient"
_SAMPLE = """
    SELECT at, cpu_percent, memory_percent, available_bytes, processes, throttle_seconds
    FROM machine_samples ORDER BY id DESC LIMIT 1
"""


def standing(database: Database, now: float) -> Standing:
    """As the last commit has it. ``now`` is in seconds since the epoch."""
    with database.atomic():  # one snapshot for all the questions
        depths = {depth.agent: depth for depth in queries.queue_depth(database)}
        running = {agent: int(count) for agent, count in fetch(database, _RUNNING)}
        first = {agent: row[0][0] for agent in depths if (row := fetch(database, _NEXT, agent))}
        samples = fetch(database, _SAMPLE)
        totals = {
            "queued": sum(depth.queued for depth in depths.values()),
            "running": sum(running.values()),
            **{status: int(count) for status, count in fetch(database, "SELECT status, messages FROM totals")},
        }
        return Standing(
            totals=totals,
            depths=depths,
            running=running,
            first=first,
            arrived_per_minute=float(highest(database) + 1 - first_since(database, now - _MINUTE)),
            ended_per_minute=_ended(database, now),
            died_last_hour=int(fetch(database, _DIED, _MOST_DEAD, iso(now - 3600))[0][0]),
            holds=waiting.holds(database),
            firing=alerts.firing(database),
            sample=Sample(*samples[0]) if samples else None,
        )


def _ended(database: Database, now: float) -> float:
    count, earliest = fetch(database, _ENDED, iso(now - _MINUTE), _MOST_ENDS)[0]
    if count < _MOST_ENDS:
        return float(count)
    passed = max(now - seconds(earliest), 0.1)
    return float(count) * _MINUTE / passed
