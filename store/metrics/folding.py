"""Points that have become old are folded into fewer, and removed at last: a slice at a time, so that nothing waits.

Ten minutes of a series become one point, in one transaction; so each moment is in one point only, whatever its length.
Nothing is remembered between two slices: what is to be done is what the tables still hold.
"""

from __future__ import annotations

import sqlite3
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from squad.metrics import Kind
from squad.store.metrics.steps import KEPT, STEPS
from squad.store.metrics.summary import Summary
from squad.store.metrics.writing import GET_POINT, PUT_POINT

_SLICE = 48  # series that are folded at once
_PRUNED = 500  # points that are removed at once

_OLDEST = "SELECT MIN(start) FROM metric_points WHERE step = ?"
_SERIES = "SELECT MIN(series) FROM metric_points WHERE step = ? AND start = ?"
_OF_SERIES = """
    SELECT p.series, p.count, p.sum, p.least, p.most, p.last, p.buckets, s.kind
    FROM metric_points AS p LEFT JOIN metric_series AS s ON s.id = p.series
    WHERE step = ? AND start = ? AND series >= ? AND series < ?
"""
_REMOVE = "DELETE FROM metric_points WHERE step = ? AND start = ? AND series >= ? AND series < ?"
_PRUNE = """
    DELETE FROM metric_points WHERE (step, start, series) IN (
        SELECT step, start, series FROM metric_points WHERE step = ? AND start < ? ORDER BY start LIMIT ?
    )
"""
_ABANDONED = "DELETE FROM metric_series WHERE updated_at < ?"


def fold(connection: sqlite3.Connection, now: float, keep: float) -> bool:
    """Do the next slice, inside a transaction: a few milliseconds. False: there was none.

    ``keep``: seconds after which a point is removed.
    """
    for fine, coarse in pairwise(STEPS):
        horizon = (now - KEPT[fine]) // coarse * coarse
        (oldest,) = connection.execute(_OLDEST, (fine,)).fetchone()
        if oldest is not None and oldest < horizon:
            _fold(connection, fine, coarse, oldest // coarse * coarse)
            return True
    removed = connection.execute(_PRUNE, (STEPS[-1], now - keep, _PRUNED)).rowcount
    return removed > 0


def abandoned(connection: sqlite3.Connection, now: float, keep: float) -> bool:
    """Remove the series of which nothing is left, inside a transaction; whether there were any."""
    return connection.execute(_ABANDONED, (now - keep - STEPS[-1],)).rowcount > 0


def _fold(connection: sqlite3.Connection, fine: int, coarse: int, slot: int) -> None:
    """The first series of a slot, which has points."""
    starts = range(slot, slot + coarse, fine)
    firsts = [connection.execute(_SERIES, (fine, start)).fetchone()[0] for start in starts]
    first = min(series for series in firsts if series is not None)
    rows: list[Any] = []
    for start in starts:  # in order: the last value of a gauge is that of the last of them
        rows += connection.execute(_OF_SERIES, (fine, start, first, first + _SLICE)).fetchall()
    rows.sort(key=itemgetter(0))  # stable
    folded = []
    for series, points in groupby(rows, key=itemgetter(0)):
        of = list(points)
        kind: Kind = of[0][-1] or "gauge"  # a series that is gone has no kind
        before = connection.execute(GET_POINT, (coarse, slot, series)).fetchone()
        whole = Summary() if before is None else Summary.from_row(kind, before)
        for _, *values, _ in of:
            whole.add(Summary.from_row(kind, values))
        folded.append((coarse, slot, series, *whole.row()))
    connection.executemany(PUT_POINT, folded)
    connection.executemany(_REMOVE, [(fine, start, first, first + _SLICE) for start in starts])
