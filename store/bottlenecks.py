"""What is slow, and what ends now. Every function takes a connection of ``squad.store.database.Pool``.

Single messages are read off their rows, percentiles off the metrics. Moments are seconds since the epoch. The ends of a
stretch of time are found by the index on them, so a question costs as much as what has ended in it: about a third of a
second for a million messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from peewee import Database

from squad.store import metrics
from squad.store.database import fetch
from squad.store.metrics import Summary
from squad.store.spread import rounded, spread
from squad.store.times import iso, seconds

By = Literal["agent", "type"]

DAY = 86_400.0
"""Seconds looked back on unless something else is said."""

GROUPS: dict[str, By] = {"agents": "agent", "types": "type"}
"""The groups of a report."""

_ALWAYS = 253402300799.0  # the end of the year 9999: later than any time in the tables
_IN_HAND = 1.0  # seconds for which a message must be in hand to be shown for it


@dataclass(frozen=True, slots=True)
class SlowTask:
    """A message that was completed: how long its handler ran the last time, and how long it had waited for that, from
    when it was ready; None where that is not known."""

    id: str
    agent: str
    type: str
    duration_ms: int
    waited_ms: int | None
    created_at: str
    started_at: str | None
    completed_at: str

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A message in an agent's hands. ``claimed_at``: since when; its handler may have begun a little later."""

    id: str
    agent: str
    worker: str
    type: str
    created_at: str
    claimed_at: str

    def document(self, now: float) -> dict[str, Any]:
        running = now - seconds(self.claimed_at)
        return {**asdict(self), "running_ms": max(0, round(running * 1000))}


@dataclass(frozen=True, slots=True)
class Group:
    """How long the messages of one agent, or of one type, took. ``share``: part of all handlers' time, 0 to 1."""

    by: By
    name: str
    handling: Summary
    waiting: Summary | None
    share: float

    def document(self) -> dict[str, Any]:
        return {
            self.by: self.name,
            "handling_ms": spread(self.handling),
            "waiting_ms": spread(self.waiting),
            "share": rounded(self.share),
        }


@dataclass(frozen=True, slots=True)
class Ended:
    """Messages that have ended from ``since`` to ``until``, counted by who handled them.

    ``counts`` has agents, convoys and workers by name: a worker's messages count for its convoy too.
    """

    since: float
    until: float
    total: int
    counts: Mapping[str, int]


_SLOW = "completed_at > ? AND completed_at <= ? AND status = 'completed' AND duration_ms >= ? AND type <> ?"
_SLOWEST = f"""
    SELECT task_id, recipient, type, duration_ms, ready_at, created_at, started_at, completed_at FROM tasks
    WHERE {_SLOW} ORDER BY duration_ms DESC, id LIMIT ?
"""  # noqa: S608 - a constant
_COUNT = f"SELECT COUNT(*) FROM tasks WHERE {_SLOW}"  # noqa: S608
# A literal, not a parameter: only then is a partial index sure to be used.
_RUNNING = """
    SELECT task_id, recipient, lease_owner, type, created_at, claimed_at FROM tasks
    WHERE status = 'running' AND claimed_at > ? AND claimed_at <= ? AND type <> ? ORDER BY claimed_at, id LIMIT ?
"""
_ENDED = """
    SELECT recipient, lease_owner, completed_at FROM tasks
    WHERE completed_at > ? AND completed_at <= ? ORDER BY completed_at DESC LIMIT ?
"""


def report(database: Database, limit: int, by: By | None, since: float, now: float) -> dict[str, Any]:
    """What ``squad bottlenecks`` prints and ``/v1/bottlenecks`` answers (see docs/json.md): with ``by`` only that
    group, of each list at most ``limit``."""
    document: dict[str, Any] = {"since": iso(since), "until": iso(now)}
    with database.atomic():
        if by is None:
            document["tasks"] = [task.document() for task in slowest(database, limit, since)]
            running = longest_running(database, limit, until=now - _IN_HAND)
            document["running"] = [task.document(now) for task in running]
        for key, group in GROUPS.items():
            if by in (None, group):
                document[key] = [row.document() for row in groups(database, group, since, now, limit)]
    return document


def slowest(  # noqa: PLR0913 - which ones
    database: Database,
    limit: int,
    since: float = 0.0,
    until: float = _ALWAYS,
    *,
    least_ms: float = 0.0,
    without: str = "",
) -> list[SlowTask]:
    """The slowest of the messages that were completed then, the slowest first: those of ``least_ms`` or more, and of
    any type but ``without``."""
    rows = fetch(database, _SLOWEST, iso(since), iso(until), least_ms, without, limit)
    return [
        SlowTask(task_id, agent, kind, duration, _waited(ready, created, started), created, started, completed)
        for task_id, agent, kind, duration, ready, created, started, completed in rows
    ]


def count_slow(database: Database, since: float, until: float, *, least_ms: float, without: str = "") -> int:
    """How many there are of these."""
    return int(fetch(database, _COUNT, iso(since), iso(until), least_ms, without)[0][0])


def longest_running(
    database: Database, limit: int, since: float = 0.0, until: float = _ALWAYS, *, without: str = ""
) -> list[RunningTask]:
    """What is in agents' hands and was claimed then, for the longest time first."""
    return [RunningTask(*row) for row in fetch(database, _RUNNING, iso(since), iso(until), without, limit)]


def groups(database: Database, by: By, since: float, until: float, limit: int) -> list[Group]:
    """How long messages took then, by agent or by type, those with the highest p95 first. None without metrics."""
    handling = metrics.window(database, "handling_ms", since, until, by=by)
    waiting = metrics.window(database, "waiting_ms", since, until, by=by)
    total = sum(summary.sum for summary in handling.values())
    found = sorted(handling.items(), key=lambda pair: (-(pair[1].percentile(0.95) or 0.0), pair[0]))
    return [
        Group(by, name, summary, waiting.get(name), summary.sum / total if total else 0.0)
        for name, summary in found[:limit]
    ]


def ended(database: Database, since: float, until: float, most: int) -> Ended:
    """What has ended, however it did. When that is more than ``most`` messages, only the newest are counted.

    The answer's ``since`` is later then: what it has is complete from there on.
    """
    rows = fetch(database, _ENDED, iso(since), iso(until), most)
    counts: Counter[str] = Counter()
    for recipient, owner, _ in rows:
        counts[recipient] += 1
        if owner is not None and (worker := owner.rpartition(".")[0]) and worker != recipient:
            counts[worker] += 1
    begin = since
    if len(rows) == most:
        begin = min(until, seconds(rows[-1][2]))
    return Ended(begin, until, len(rows), counts)


def _waited(ready: float | None, created: str, started: str | None) -> int | None:
    """Milliseconds from ready, or else created, to started."""
    try:
        begun = seconds(started or "")
        since = seconds(created) if ready is None else ready
    except ValueError:  # not handled, or changed by hand
        return None
    return max(0, round((begun - since) * 1000))
