"""Opening a database: migrations, settings, and files that cannot be used."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.config.schema import StoreConfig
from squad.errors import NewerDatabaseError, StoreError
from squad.store import migrations, models, rows
from squad.store.database import open_reader
from squad.store.rows import NewTask
from squad.store.writer import Writer
from tests.store import singly

Sql = Callable[..., list[Any]]
KNOWN = len(migrations.MIGRATIONS)


@pytest.fixture
def raw(path: Path) -> Any:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_a_new_database(writer: Writer, path: Path, sql: Sql) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    names = [up.__module__.rpartition(".")[2] for up in migrations.MIGRATIONS]
    assert sql("SELECT version, name FROM schema_version") == list(enumerate(names, start=1))
    assert all(name.startswith(f"m{number:04}_") for number, name in enumerate(names, start=1))
    assert sql("PRAGMA auto_vacuum") == [(2,)]
    assert sql("PRAGMA journal_mode") == [("wal",)]


def test_the_configuration_is_applied(path: Path) -> None:
    config = StoreConfig(synchronous="NORMAL", busy_timeout=1234, cache_size=-777, wal_autocheckpoint=55)
    with closing(Writer(path, config)) as writer:
        got = {
            name: writer._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "busy_timeout", "cache_size", "wal_autocheckpoint", "foreign_keys")
        }
    assert got == {
        "synchronous": 1,
        "busy_timeout": 1234,
        "cache_size": -777,
        "wal_autocheckpoint": 55,
        "foreign_keys": 1,
    }


def test_opening_again_keeps_everything(path: Path, config: StoreConfig, task: Callable[..., NewTask]) -> None:
    with closing(Writer(path, config)) as writer, writer.transaction():
        writer.submit([task(task_id="one")], 1.0)
    with closing(Writer(path, config)) as writer, writer.transaction():
        assert [lease.task_id for lease in singly.claim(writer, "a", "a/1", 9, 2.0)] == ["one"]


def test_each_migration_runs_once_in_order(raw: sqlite3.Connection, path: Path) -> None:
    def second(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE second (x)")

    initial = migrations.MIGRATIONS[:1]
    assert migrations.migrate(raw, path, initial) == 1
    assert migrations.migrate(raw, path, (*initial, second)) == 1
    assert migrations.migrate(raw, path, (*initial, second)) == 0
    assert migrations.version(raw, path) == 2


@pytest.mark.parametrize("failure", [sqlite3.OperationalError("disk"), KeyboardInterrupt()])
def test_an_interrupted_migration_leaves_the_old_version(
    raw: sqlite3.Connection, path: Path, failure: BaseException
) -> None:
    def second(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE second (x)")
        connection.execute("ALTER TABLE tasks ADD COLUMN extra TEXT")
        raise failure

    migrations.migrate(raw, path)
    before = raw.execute("SELECT sql FROM sqlite_schema").fetchall()
    with pytest.raises(type(failure)):
        migrations.migrate(raw, path, (*migrations.MIGRATIONS, second))
    assert migrations.version(raw, path) == KNOWN
    assert raw.execute("SELECT sql FROM sqlite_schema").fetchall() == before


def test_an_interrupted_first_migration_leaves_nothing(raw: sqlite3.Connection, path: Path) -> None:
    def first(connection: sqlite3.Connection) -> None:
        migrations.m0001_initial.up(connection)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrations.migrate(raw, path, (first,))
    assert tables(raw) == set()
    with pytest.raises(StoreError, match="no squad has run here yet"):
        open_reader(path)
    assert migrations.migrate(raw, path) == KNOWN
    assert raw.execute("PRAGMA auto_vacuum").fetchone() == (2,)


@pytest.mark.parametrize("opening", [lambda path: Writer(path, StoreConfig()), open_reader])
def test_a_newer_database_is_refused(raw: sqlite3.Connection, path: Path, opening: Callable[[Path], object]) -> None:
    migrations.migrate(raw, path)
    raw.execute("INSERT INTO schema_version VALUES (?, 'm9999_later', '2030-01-01')", (KNOWN + 1,))
    with pytest.raises(NewerDatabaseError) as caught:
        opening(path)
    assert caught.value.message == f"{path} was written by a newer Squad (schema {KNOWN + 1}; this one knows {KNOWN})"
    assert "--home" in caught.value.hint
    assert raw.execute("SELECT COUNT(*) FROM schema_version").fetchone() == (KNOWN + 1,)


def test_an_older_database_is_not_read(writer: Writer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, lambda connection: None))
    with pytest.raises(StoreError, match=rf"older Squad \(schema {KNOWN}; this one reads {KNOWN + 1}\)"):
        open_reader(path)


@pytest.mark.parametrize("opening", [lambda path: Writer(path, StoreConfig()), open_reader])
def test_a_file_that_is_no_database(path: Path, opening: Callable[[Path], object]) -> None:
    path.write_text("dear diary\n" * 500)
    with pytest.raises(StoreError, match=r"squad\.db is no database") as caught:
        opening(path)
    assert "move the file away" in caught.value.hint
    assert path.read_text().startswith("dear diary")


@pytest.mark.parametrize("opening", [lambda path: Writer(path, StoreConfig()), open_reader])
def test_another_programs_database(raw: sqlite3.Connection, path: Path, opening: Callable[[Path], object]) -> None:
    raw.execute("CREATE TABLE recipes (x)")
    with pytest.raises(StoreError, match="another program: it holds recipes"):
        opening(path)
    assert tables(raw) == {"recipes"}


def test_a_damaged_database(path: Path, config: StoreConfig, task: Callable[..., NewTask]) -> None:
    with closing(Writer(path, config)) as writer, writer.transaction():
        writer.submit([task(payload="x" * 500) for _ in range(500)], 1.0)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2))
    with (
        pytest.raises(StoreError, match=r"squad\.db is damaged") as caught,
        closing(Writer(path, config)) as writer,
        writer.transaction(),
    ):
        singly.claim(writer, "a", "a/1", 500, 2.0)
    assert f"sqlite3 {path} .recover" in caught.value.hint


def test_a_folder_that_does_not_exist(tmp_path: Path, config: StoreConfig) -> None:
    with pytest.raises(StoreError, match="cannot be opened: No such file or directory"):
        Writer(tmp_path / "none" / "squad.db", config)


def test_a_full_disk_undoes_the_transaction_and_nothing_else(
    writer: Writer, sql: Sql, task: Callable[..., NewTask]
) -> None:
    with writer.transaction():
        writer.submit([task(task_id="kept")], 1.0)
    pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
    writer._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StoreError, match="the disk is full"), writer.transaction():
        writer.submit([task(payload="x" * 100_000)], 1.0)
    writer._connection.execute("PRAGMA max_page_count = 1000000")
    with writer.transaction():
        writer.submit([task(task_id="after")], 1.0)
    assert sql("SELECT task_id FROM tasks ORDER BY id") == [("kept",), ("after",)]


def test_a_lock_that_stays_is_an_error_after_the_time_out(path: Path, task: Callable[..., NewTask]) -> None:
    with (
        closing(Writer(path, StoreConfig(busy_timeout=50))) as writer,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another process"), writer.transaction():
            writer.submit([task()], 1.0)
        other.execute("ROLLBACK")
        with writer.transaction():
            writer.submit([task()], 1.0)


@pytest.mark.parametrize("model", models.TABLES, ids=lambda model: model.__name__)
def test_models_and_tables_are_the_same(writer: Writer, sql: Sql, model: Any) -> None:
    stored = {
        row[1]: (bool(row[3]) or bool(row[5]), bool(row[5]))
        for row in sql("SELECT * FROM pragma_table_info(?)", model._meta.table_name)
    }
    keys = {field.column_name for field in model._meta.get_primary_keys()}
    declared = {field.column_name: (not field.null, field.column_name in keys) for field in model._meta.sorted_fields}
    assert stored == declared


def test_the_status_is_checked(writer: Writer) -> None:
    for status in models.STATUSES:
        writer._connection.execute(
            "INSERT INTO tasks (task_id, sender, recipient, type, status, payload) VALUES (?, 's', 'r', 't', ?, '{}')",
            (status, status),
        )
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        writer._connection.execute("UPDATE tasks SET status = 'lost'")


def test_an_older_database_takes_every_outcome_of_an_attempt(raw: sqlite3.Connection, path: Path) -> None:
    attempt = "INSERT INTO attempts (task_row, number, worker, ended_at, outcome, error) VALUES (1, 1, 'w', '', ?, '')"
    migrations.migrate(raw, path, migrations.MIGRATIONS[:4])
    raw.execute(attempt, ("crash",))
    migrations.migrate(raw, path)
    for outcome in rows.ENDED:
        raw.execute(attempt, (outcome,))
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        raw.execute(attempt, ("lost",))
    assert raw.execute("SELECT COUNT(*) FROM attempts").fetchone() == (4,)
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_every_model_is_listed() -> None:
    found = {
        model for model in vars(models).values() if isinstance(model, type) and model.__module__ == models.__name__
    }
    assert found == {*models.TABLES, models.QueueDepth, models.AgentMetric}
