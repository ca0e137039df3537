"""Histograms of many series at once are those that a window gives of each."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squad.config.schema import StoreConfig
from squad.store import metrics
from squad.store.database import open_reader
from squad.store.metrics import Summary
from squad.store.metrics.journal import Measured
from squad.store.metrics.spreads import spreads
from squad.store.writer import Writer

T0 = 1_790_000_040.0  # a whole minute

VALUES = st.lists(st.floats(0, 1e7), min_size=1, max_size=4)
POINTS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab"), st.sampled_from("xy"), VALUES), max_size=12)


@settings(max_examples=10)
@given(points=POINTS)
def test_as_windows(tmp_path_factory: pytest.TempPathFactory, points: list[tuple[int, str, str, list[float]]]) -> None:
    path: Path = tmp_path_factory.mktemp("spreads") / "squad.db"
    with closing(Writer(path, StoreConfig(synchronous="NORMAL"))) as writer:
        for minute, agent, kind, values in sorted(points):
            with writer.transaction():
                writer.metrics.add([Measured("handling_ms", agent, kind, "histogram", Summary.observed(values))])
                writer.metrics.write(T0 + minute * 60)
    with open_reader(path) as pool, pool.connection() as database:
        since, until = T0 + 120, T0 + 480
        found = spreads(database, "handling_ms", since, until)
        for agent in "ab":
            windows = metrics.window(database, "handling_ms", since, until, agent=agent, by="type")
            assert {kind for of, kind in found if of == agent} == windows.keys()
            for kind, window in windows.items():
                own = found[agent, kind]
                assert (own.count, own.buckets) == (window.count, window.buckets)
                assert (own.sum, own.least, own.most) == pytest.approx((window.sum, window.least, window.most))
            assert {kind for _, kind in spreads(database, "handling_ms", since, until, agent)} == windows.keys()
        assert spreads(database, "waiting_ms", since, until) == {}
