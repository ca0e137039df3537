from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from squad.config.schema import StoreConfig
from squad.store.upkeep import Upkeep
from squad.store.writer import Writer
from tests.cli.a_store import Story


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder / "squad.db"


@pytest.fixture
def story(path: Path) -> Iterator[Story]:
    """A database with a message of each kind, whose writer is open as that of a running squad is."""
    with closing(Writer(path, StoreConfig())) as writer:
        told = Story(writer)
        told.completed(told.sent("a", "t", {"n": 1}), sends=(("b", "t"),))
        told.failed(told.sent("a", "t"), attempts=2)
        told.running(told.sent("c", "t"))
        told.sent("d", "t")
        yield told


@pytest.fixture
def upkeep(path: Path) -> Upkeep:
    return Upkeep(path)


@pytest.fixture
def spoil(path: Path) -> Callable[..., None]:
    """Writes to the database as somebody with ``sqlite3 squad.db`` would."""

    def execute(statement: str, *parameters: object) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement, parameters)

    return execute
