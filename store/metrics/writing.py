"""Writing what was counted into the tables, within a transaction that is open."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter

from squad.metrics import CATALOGUE, MOST_OWN, Kind
from squad.store.metrics.histogram import Histogram
from squad.store.metrics.journal import Key, Sums
from squad.store.metrics.steps import STEPS
from squad.store.metrics.summary import Summary

_log = logging.getLogger(__name__)

GET_POINT = """
    SELECT count, sum, least, most, last, buckets FROM metric_points WHERE step = ? AND start = ? AND series = ?
"""
PUT_POINT = """
    INSERT OR REPLACE INTO metric_points (step, start, series, count, sum, least, most, last, buckets)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NEW_SERIES = "INSERT INTO metric_series (name, agent, type, kind) VALUES (?, ?, ?, ?) RETURNING id"
_GROW = """
    UPDATE metric_series
    SET kind = ?, count = count + ?, sum = sum + ?, last = COALESCE(?, last), updated_at = ?,
        buckets = COALESCE(?, buckets)
    WHERE id = ?
"""
_BUCKETS = "SELECT buckets FROM metric_series WHERE id = ?"
_NOT_ZERO = "SELECT agent FROM metric_series WHERE name = ? AND last != 0"


class Book:
    """The tables of metrics. It remembers the ids of series; whoever undoes a transaction says ``forget``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ids: dict[Key, int] = {}
        self._own: Counter[str] = Counter()  # names of own metrics, by agent
        self._full: set[str] = set()  # agents that had too many, which was said

    def forget(self) -> None:
        self._ids.clear()
        self._own.clear()

    def write(self, sums: Sums, now: float) -> None:
        """Add it to the minute of ``now`` and to the series."""
        step = STEPS[0]
        start = int(now // step) * step
        points, series = [], []
        for key, (kind, summary) in sums.of.items():
            row = self._id(key, kind)
            if row is None:
                continue
            before = self._connection.execute(GET_POINT, (step, start, row)).fetchone()
            point = summary
            if before is not None:
                point = Summary.from_row(kind, before)
                point.add(summary)
            points.append((step, start, row, *point.row()))
            series.append((kind, summary.count, summary.sum, summary.last, now, self._grown(row, summary), row))
        self._connection.executemany(PUT_POINT, points)
        self._connection.executemany(_GROW, series)

    def not_zero(self, name: str) -> set[str]:
        """The agents of which a gauge was written last with another value than 0."""
        return {row[0] for row in self._connection.execute(_NOT_ZERO, (name,))}

    def _grown(self, row: int, summary: Summary) -> str | None:
        if summary.buckets is None:
            return None
        (text,) = self._connection.execute(_BUCKETS, (row,)).fetchone()
        if text is None:
            return summary.buckets.text()
        whole = Histogram.read(text)
        whole.add(summary.buckets)
        return whole.text()

    def _id(self, key: Key, kind: Kind) -> int | None:
        """None: the agent has too many own metrics."""
        if not self._ids:
            for row, *known in self._connection.execute("SELECT id, name, agent, type FROM metric_series"):
                self._know((known[0], known[1], known[2]), row)
        found = self._ids.get(key)
        if found is None:
            name, agent, _ = key
            if name not in CATALOGUE and self._own[agent] >= MOST_OWN:
                if agent not in self._full:
                    self._full.add(agent)
                    _log.error("%s has %d own metrics; %r and whatever else is new is left out", agent, MOST_OWN, name)
                return None
            found = int(self._connection.execute(_NEW_SERIES, (*key, kind)).fetchone()[0])
            self._know(key, found)
        return found

    def _know(self, key: Key, row: int) -> None:
        self._ids[key] = row
        self._own[key[1]] += key[0] not in CATALOGUE
