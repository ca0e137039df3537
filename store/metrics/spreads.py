"""Histograms of many series over a long time at once: what ``reading.window`` gives, several times as quickly.

SQLite puts the points of a series together, and their buckets are decoded by one call.
"""

from __future__ import annotations

import json
from collections import Counter

from peewee import Database

from squad.store.metrics.histogram import Histogram
from squad.store.metrics.steps import STEPS
from squad.store.metrics.summary import Summary

# A point whose values were all the same has no buckets: then the value is its mean.
_SPREAD = """
    SELECT agent, type, SUM(points.count), SUM(points.sum), MIN(COALESCE(least, points.sum / points.count)),
           MAX(COALESCE(most, points.sum / points.count)), group_concat(points.buckets),
           group_concat(CASE WHEN points.buckets IS NULL
                             THEN printf('[%!.17g,%d]', points.sum / points.count, points.count) END)
    FROM metric_points AS points JOIN metric_series ON metric_series.id = points.series
    WHERE name = ?1 AND (?2 IS NULL OR agent = ?2)
          AND step = ?3 AND start > ?4 AND start < ?5 AND points.count > 0
    GROUP BY series
"""


def spreads(
    database: Database, name: str, since: float, until: float, agent: str | None = None
) -> dict[tuple[str, str], Summary]:
    """By agent and type, what was recorded of a histogram in that time (seconds since the epoch), of one agent or of
    all. A point that overlaps it counts whole."""
    found: dict[tuple[str, str], Summary] = {}
    with database.atomic():  # one snapshot for all the questions
        for step in STEPS:
            rows = database.execute_sql(_SPREAD, (name, agent, step, since - step, until))  # type: ignore[no-untyped-call]
            for of, kind, count, total, least, most, spread, same in rows:
                merged = Histogram(_merged(spread or ""))
                for value, times in json.loads(f"[{same or ''}]"):
                    merged.add(Histogram.same(value, times))
                summary = Summary(int(count), float(total), least, most, None, merged)
                found.setdefault((of, kind), Summary()).add(summary)
    return found


def _merged(texts: str) -> Counter[int]:
    """From the texts of histograms, each an array of places and counts in turn, with commas between them."""
    merged: Counter[int] = Counter()
    for flat in json.loads(f"[{texts}]"):
        for place, count in zip(flat[::2], flat[1::2], strict=True):
            merged[place] += count
    return merged
