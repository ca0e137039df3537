"""What was measured, over any time. Every function takes a connection of ``squad.store.database.Pool``.

    with pool.connection() as database:
        slow = metrics.window(database, "handling_ms", now - 3600, now, by="agent")
        print({agent: summary.percentile(0.95) for agent, summary in slow.items()})

A point counts whole if it overlaps the time asked for, so a window may be longer at both ends: by a minute for the last
three hours, then ten minutes, after a day and a half an hour. ``Summary.seconds`` says how long it is in fact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from squad.metrics import Kind
from squad.store.database import fetch
from squad.store.metrics.histogram import Histogram
from squad.store.metrics.steps import STEPS
from squad.store.metrics.summary import Summary

if TYPE_CHECKING:
    from peewee import Database

_FEW = 32  # series whose points are looked up one by one; for more all points of the time are read


@dataclass(frozen=True, slots=True)
class Series:
    """A metric of one agent and type; empty: of none. ``count``, ``sum`` and ``buckets`` are of all that was ever
    recorded, and only grow; ``last`` is a gauge's value at ``at`` (seconds since the epoch)."""

    id: int
    name: str
    agent: str
    type: str
    kind: Kind
    count: int
    sum: float
    buckets: Histogram | None
    last: float | None
    at: float


def known(database: Database, name: str | None = None, agent: str | None = None) -> list[Series]:
    """The series that there are, by name, agent and type."""
    rows = fetch(
        database,
        "SELECT id, name, agent, type, kind, count, sum, buckets, last, updated_at FROM metric_series"
        " WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR agent = ?2) ORDER BY name, agent, type",
        name,
        agent,
    )
    return [
        Series(row, called, of, kind, sort, count, total, text and Histogram.read(text), last, at)
        for row, called, of, kind, sort, count, total, text, last, at in rows
    ]


def window(  # noqa: PLR0913 - each says one thing about what is wanted
    database: Database,
    name: str,
    since: float,
    until: float,
    *,
    agent: str | None = None,
    type: str | None = None,  # noqa: A002 - the word for it everywhere else
    by: Literal["agent", "type"] | None = None,
) -> dict[str, Summary]:
    """What was recorded of a metric from ``since`` to ``until`` (seconds since the epoch), of an agent, a type, or all.

    By agent or type, those that have any; with ``by`` None all of it under the key ``""``, if there was any.
    """
    with database.atomic():  # one snapshot for all the questions
        series = _series(database, name, agent, type)
        place = {None: None, "agent": 1, "type": 2}[by]
        found: dict[str, Summary] = {}
        points = list(_points(database, series, since, until))
    covered = _covered(((step, start) for step, start, _, _ in points), since, until)
    for _, _, row, summary in points:
        about = series[row]
        found.setdefault("" if place is None else str(about[place]), Summary(seconds=covered)).add(summary)
    return found


def line(  # noqa: PLR0913 - likewise
    database: Database,
    name: str,
    since: float,
    until: float,
    *,
    agent: str | None = None,
    type: str | None = None,  # noqa: A002
    points: int = 60,
) -> list[tuple[float, Summary]]:
    """The same over time: about ``points`` steps of equal length, each with when it begins; also those without any.

    The steps are as fine as the store has them for that time, and a multiple of it. The last one may not be over yet:
    its ``seconds`` are those up to ``until``.
    """
    with database.atomic():
        series = _series(database, name, agent, type)
        found = list(_points(database, series, since, until))
    finest = max((step for step, *_ in found), default=STEPS[0])
    first = since // finest * finest
    step = max(1, -(-(until - first) // (max(1, points) * finest))) * finest
    number = max(1, int(-(-(until - first) // step)))
    slots = [Summary(seconds=min(step, until - first - n * step)) for n in range(number)]
    for _, start, _, summary in found:
        slots[max(0, int((start - first) // step))].add(summary)
    return [(first + n * step, slot) for n, slot in enumerate(slots)]


def _series(database: Database, name: str, agent: str | None, kind: str | None) -> dict[int, tuple[Kind, str, str]]:
    """By id: kind, agent and type."""
    rows = fetch(
        database,
        "SELECT id, kind, agent, type FROM metric_series"
        " WHERE name = ?1 AND (?2 IS NULL OR agent = ?2) AND (?3 IS NULL OR type = ?3)",
        name,
        agent,
        kind,
    )
    return {row: (sort, of, about) for row, sort, of, about in rows}


_COLUMNS = "step, start, series, count, sum, least, most, last, buckets"
_SCAN = f"""
    SELECT {_COLUMNS} FROM metric_points
    WHERE step = ? AND start > ? AND start < ? AND series IN (SELECT value FROM json_each(?))
    ORDER BY start
"""  # noqa: S608 - a constant
# CROSS: in this order, one look-up for each.
_SEEK = f"""
    WITH RECURSIVE starts (at) AS (SELECT ?2 UNION ALL SELECT at + ?1 FROM starts WHERE at + ?1 < ?3)
    SELECT {_COLUMNS}
    FROM starts CROSS JOIN json_each(?4) AS wanted CROSS JOIN metric_points
    WHERE step = ?1 AND start = at AND series = wanted.value
    ORDER BY start
"""  # noqa: S608 - a constant


def _points(
    database: Database, series: dict[int, tuple[Kind, str, str]], since: float, until: float
) -> Iterator[tuple[int, int, int, Summary]]:
    """(step, start, series, what was recorded) of all points that overlap that time, the coarsest, then the oldest
    first."""
    if not series or until <= since:
        return
    wanted = json.dumps(sorted(series))
    for step in reversed(STEPS):
        if len(series) > _FEW:
            rows = fetch(database, _SCAN, step, since - step, until, wanted)
        else:
            first, last = fetch(
                database,
                "SELECT MIN(start), MAX(start) FROM metric_points WHERE step = ? AND start > ? AND start < ?",
                step,
                since - step,
                until,
            )[0]
            rows = [] if first is None else fetch(database, _SEEK, step, first, last + 1, wanted)
        for _, start, row, *values in rows:
            yield step, start, row, Summary.from_row(series[row][0], values)


def _covered(points: Iterable[tuple[int, int]], since: float, until: float) -> float:
    """Seconds that a window is about: longer than asked for by what of its first and last points lies outside. The
    future does not count: a point that is not over ends with ``until``."""
    first = min((start for _, start in points), default=since)
    return until - min(first, since)
