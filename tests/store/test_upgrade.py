"""Databases of earlier versions, with rows in them, brought up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.config.schema import StoreConfig
from squad.store import migrations
from squad.store.rows import NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

Sql = Callable[..., list[Any]]
NOW = 1_800_000_000.0
STATUSES = ("queued", "running", "completed", "failed", "failed", "queued")


@pytest.fixture
def version_1(path: Path) -> Path:
    """A database of version 1: one message in each state, a retried one, and the last arrival deleted by hand."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        assert migrations.migrate(raw, path, migrations.MIGRATIONS[:1]) == 1
        raw.execute("PRAGMA journal_mode = WAL")
        for number, status in enumerate(STATUSES, start=1):
            raw.execute(
                """
                INSERT INTO tasks (task_id, parent_id, root_id, sender, recipient, type, priority, status, attempts,
                                   not_before, lease_owner, fence, claimed_at, started_at, completed_at, duration_ms,
                                   key, error_message, payload, result)
                VALUES (?, 'p', 'r', 'cli', 'a', 't', ?, ?, 2, ?, ?, 3, 'c', 's', ?, 12, ?, 'e', ?, '1')
                """,
                (
                    f"m{number}",
                    number,
                    status,
                    NOW + 60 if number == 6 else None,
                    "a/1" if status == "running" else None,
                    None if status in ("queued", "running") else "2027-01-15T08:00:00.000Z",
                    f"k{number}",
                    '{"big": "' + "x" * 20_000 + '"}',
                ),
            )
        failures = [(4, 1), (6, 1), (4, 2), (5, 1)]  # of task rows, in the order in which they happened
        raw.executemany(
            "INSERT INTO attempts (task_row, number, worker, ended_at, outcome, error)"
            " VALUES (?, ?, 'w', 'x', 'error', 'e')",
            failures,
        )
        raw.execute("INSERT INTO tasks (task_id, sender, recipient, type, payload) VALUES ('m7', 'c', 'a', 't', '{}')")
        raw.execute("DELETE FROM tasks WHERE task_id = 'm7'")
        raw.execute("INSERT INTO keeper VALUES ('convoy/c', '{}', 'x')")
        raw.execute("INSERT INTO agent_state VALUES ('a', 4, 'x', '{\"n\": 4}')")
    return path


def test_every_row_is_kept(version_1: Path, sql: Sql) -> None:
    old = {
        table: [dict(zip(columns, row, strict=True)) for row in sql(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608
        for table in ("tasks", "attempts")
        if (columns := [row[1] for row in sql("SELECT * FROM pragma_table_info(?)", table)])
    }
    Writer(version_1, StoreConfig()).close()
    for table, rows in old.items():
        columns = ", ".join(rows[0])
        new = sql(f"SELECT {columns} FROM {table} ORDER BY id")  # noqa: S608
        assert new == [tuple(row.values()) for row in rows]
    added = "expires_at, cancelling, reply_to, reply_timeout, reply_due"
    assert set(sql(f"SELECT {added} FROM tasks")) == {(None,) * 5}  # noqa: S608
    assert sql("SELECT task_row, number FROM attempts WHERE final") == [(4, 2), (5, 1)]
    assert sql("SELECT version FROM schema_version") == [(number + 1,) for number in range(len(migrations.MIGRATIONS))]
    assert sql("SELECT status, messages FROM totals") == [
        ("cancelled", 0),
        ("completed", 1),
        ("expired", 0),
        ("failed", 2),
    ]
    assert sql("SELECT * FROM queued") == [("a", 1, 0, 1), ("a", 6, 1, 1)]
    assert sql("PRAGMA integrity_check") == [("ok",)]
    assert sql("PRAGMA foreign_key_check") == []
    assert sql("SELECT agent, queued_tasks FROM queue_depth") == [("a", 2)]
    assert sql("SELECT agent, total_tasks FROM agent_performance") == [("a", 6)]
    assert sql("SELECT task_id FROM bottlenecks") == [("m3",)]


def test_the_same_tables_come_of_an_upgrade_and_of_a_new_database(version_1: Path, tmp_path: Path, sql: Sql) -> None:
    Writer(version_1, StoreConfig()).close()
    upgraded = sorted(sql("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"))
    new = tmp_path / "new.db"
    Writer(new, StoreConfig()).close()
    with closing(sqlite3.connect(new)) as raw:
        made = raw.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
        assert sorted(made.fetchall()) == upgraded


def test_life_goes_on(version_1: Path, sql: Sql) -> None:
    with closing(Writer(version_1, StoreConfig())) as writer:
        assert writer.depths == {"a": 2}
        assert writer.next_due() == NOW + 60
        with writer.transaction():
            writer.submit([NewTask("m8", "cli", "a", "t", "{}"), NewTask("m9", "cli", "a", "t", "{}", key="k1")], NOW)
            assert sql("SELECT seq FROM sqlite_sequence WHERE name = 'tasks'") == [(7,)]
            (lease,) = singly.claim(writer, "a", "a/1", 1, NOW)
            singly.settle(
                writer, "a/1", "a", [Outcome(2, 3, "done"), Outcome(lease.row, lease.fence, "error")], NOW, no_more
            )
    assert sql("SELECT id FROM tasks WHERE task_id = 'm8'") == [(8,)]  # 7 was given once already
    assert sql("SELECT task_row, number, final FROM attempts WHERE id > 4") == [(lease.row, 1, 1)]
    with closing(sqlite3.connect(version_1)) as raw:
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("DELETE FROM tasks WHERE id = 4")
        assert raw.execute("SELECT COUNT(*) FROM attempts WHERE task_row = 4").fetchone() == (0,)


def test_what_has_ended_in_version_2_is_counted(version_1: Path, sql: Sql) -> None:
    with closing(sqlite3.connect(version_1, isolation_level=None)) as raw:
        migrations.migrate(raw, version_1, migrations.MIGRATIONS[:2])
        raw.execute("UPDATE tasks SET status = 'expired', completed_at = 'x' WHERE task_id IN ('m1', 'm5', 'm6')")
        rows = raw.execute("SELECT * FROM tasks ORDER BY id").fetchall()
        migrations.migrate(raw, version_1)
        # Columns that came later are behind those that there were.
        assert [row[: len(rows[0])] for row in raw.execute("SELECT * FROM tasks ORDER BY id")] == rows
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for wrong in ("done", None):  # seen by the connection that changed the check, too
            with pytest.raises(sqlite3.IntegrityError):
                raw.execute("UPDATE tasks SET status = ? WHERE id = 1", (wrong,))
    assert sql("SELECT status, messages FROM totals") == [
        ("cancelled", 0),
        ("completed", 1),
        ("expired", 3),
        ("failed", 1),
    ]
    ((table,),) = sql("SELECT sql FROM sqlite_schema WHERE name = 'tasks'")
    assert "status IN" not in table
    assert "status = 'expired')" in table


def no_more(recipient: str, kind: str, attempts: int) -> float | None:
    return None
