from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.database import open_reader
from squad.store.rows import NewTask
from squad.store.writer import Writer
from tests.store.happening import Squad


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "squad.db"


@pytest.fixture
def config() -> StoreConfig:
    return StoreConfig()


@pytest.fixture
def writer(path: Path, config: StoreConfig) -> Iterator[Writer]:
    with closing(Writer(path, config)) as opened:
        yield opened


@pytest.fixture
def task() -> Callable[..., NewTask]:
    """Makes a NewTask to ``a``; every field can be given."""

    def make(recipient: str = "a", **fields: Any) -> NewTask:
        values: dict[str, Any] = {"task_id": new_id(), "sender": "test", "type": "t", "payload": "{}", **fields}
        return NewTask(recipient=recipient, **values)

    return make


@pytest.fixture
def sql(path: Path) -> Callable[..., list[Any]]:
    """Asks the database file directly, as ``sqlite3 squad.db`` would."""

    def ask(statement: str, *parameters: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, parameters).fetchall()

    return ask


@pytest.fixture
def squad(writer: Writer) -> Squad:
    return Squad(writer)


@pytest.fixture
def database(path: Path, writer: Writer) -> Iterator[Database]:
    with open_reader(path) as pool, pool.connection() as connection:
        yield connection
