from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from peewee import Database

from squad.config.schema import StoreConfig
from squad.store.database import open_reader
from squad.store.metrics import Summary
from squad.store.writer import Writer

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z, a full hour
MINUTE, HOUR = 60, 3600


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "squad.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    with closing(Writer(path, StoreConfig())) as opened:
        yield opened


@pytest.fixture
def database(writer: Writer, path: Path) -> Iterator[Database]:
    pool = open_reader(path)
    with pool.connection() as connection:
        yield connection
    pool.close()


Fill = Callable[..., None]


@pytest.fixture
def fill(writer: Writer, path: Path) -> Fill:
    """Writes points by hand: ``fill("handling_ms", "histogram", {(60, NOW): Summary.observed((1, 2))}, agent="a")``."""

    def by_hand(
        name: str,
        kind: str,
        points: dict[tuple[int, float], Summary],
        agent: str = "a",
        type: str = "",  # noqa: A002
    ) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            series = connection.execute(
                "INSERT INTO metric_series (name, agent, type, kind, updated_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
                (name, agent, type, kind, max((start for _, start in points), default=NOW)),
            ).fetchone()[0]
            connection.executemany(
                "INSERT INTO metric_points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(step, int(start), series, *summary.row()) for (step, start), summary in points.items()],
            )

    return by_hand
