"""Where SQLite's name may be said: everybody else knows a store by the protocols of ``squad.store.backend``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from squad.config.schema import StoreConfig
from squad.store.backend import Backend, Reading
from squad.store.database import Pool, open_reader
from squad.store.writer import Writer

ROOT = Path(__file__).resolve().parents[3]
OPENS_IT = {"storage.py"}  # of the actors: the one that chooses the backend


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_actors_know_no_backend_but_where_it_is_opened() -> None:
    actors = [file for file in (ROOT / "actors").rglob("*.py") if file.name not in OPENS_IT]
    assert len(actors) > 20
    found = {f.name for f in actors if {"sqlite3", "squad.store.writer"} & set(imported(f))}
    assert found == set()


def test_sqlite_is_the_writers_and_the_pools(tmp_path: Path) -> None:
    """For mypy: they are what the protocols ask for. And at run time: no method is missing."""
    writer: Backend = Writer(tmp_path / "squad.db", StoreConfig())
    reading: Reading = open_reader(tmp_path / "squad.db")
    for protocol, made in ((Backend, writer), (Reading, reading)):
        asked = {name for base in protocol.__mro__ for name in vars(base) if not name.startswith("_")}
        assert asked
        assert {name for name in asked if not hasattr(made, name)} == set()
    reading.close()
    writer.close()
    assert isinstance(reading, Pool)
