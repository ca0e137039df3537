from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.actors.a_storage import Storage

Sql = Callable[..., list[Any]]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    made = Storage(tmp_path / "squad.db")
    yield made
    made.close()


@pytest.fixture
def sql(storage: Storage) -> Sql:
    """Asks the database of the test's own storage, as ``sqlite3 squad.db`` would."""

    def ask(statement: str, *parameters: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{storage.path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, parameters).fetchall()

    return ask
