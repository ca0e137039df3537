"""A database is examined: what is wrong with it is named, and what to do; nothing is said of a sound one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from squad.errors import StoreError
from squad.store.upkeep import Upkeep
from tests.cli.a_store import Story

Spoil = Callable[..., None]


@pytest.mark.parametrize("full", [False, True])
def test_a_sound_one_with_its_writer_and_without(upkeep: Upkeep, story: Story, full: bool) -> None:
    for _ in range(2):
        found = upkeep.examine(full=full)
        assert found.faults == []
        assert found.schema == found.known
        counts = {"queued": 2, "running": 1, "completed": 1, "failed": 1, "cancelled": 0, "expired": 0}
        assert found.messages == counts
        story.writer.close()


@pytest.mark.parametrize(
    ("fault", "statement"),
    [
        ("ended", "UPDATE tasks SET completed_at = NULL WHERE status = 'completed'"),
        ("ended", "UPDATE tasks SET completed_at = created_at WHERE status = 'queued'"),
        ("leases", "UPDATE tasks SET lease_owner = NULL WHERE status = 'running'"),
        ("queued", "UPDATE tasks SET lease_owner = 'x' WHERE status = 'queued'"),
        ("completed", "UPDATE tasks SET attempts = 0 WHERE status = 'completed'"),
        ("dead", "UPDATE tasks SET error_message = NULL WHERE status = 'failed'"),
        ("dead", "UPDATE attempts SET final = 0"),
        ("attempts", "UPDATE attempts SET number = 1"),
        ("times", "UPDATE tasks SET created_at = '12:30' WHERE status = 'queued'"),
        ("trees", "UPDATE tasks SET root_id = task_id WHERE parent_id IS NOT NULL"),
        ("totals", "UPDATE totals SET messages = 7 WHERE status = 'completed'"),
        ("totals", "DELETE FROM tasks WHERE status = 'completed'"),
        ("totals", "UPDATE totals SET messages = 7 WHERE status = 'failed'"),
        ("totals", "UPDATE queued SET messages = messages + 1"),
        ("totals", "UPDATE tasks SET priority = 7 WHERE status = 'queued'"),
        ("totals", "DELETE FROM queued"),
        ("states", "INSERT INTO agent_state VALUES ('a', 1, '', '[]')"),
        ("archive", "INSERT INTO tasks_archive SELECT * FROM tasks WHERE status = 'completed'"),
        (
            "archive",
            "INSERT INTO tasks_archive (id, task_id, sender, recipient, type, priority, status, attempts, fence,"
            " created_at, payload) VALUES (99, 'x', 's', 'a', 't', 5, 'completed', 1, 1, '', '{}')",
        ),
        ("metrics", "INSERT INTO metric_points VALUES (60, 0, 9999, 1, 1, NULL, NULL, NULL, NULL)"),
        ("metrics", "INSERT INTO metric_series VALUES (99, 'x', '', '', 'histogram', 3, 1, NULL, 0, '[0,1,2,1]')"),
        ("keeper", "INSERT INTO keeper VALUES ('a', '{', '')"),
        ("schema", "DROP INDEX tasks_queued"),
        ("schema", "DROP VIEW queue_depth"),
        ("schema", "DROP TABLE keeper"),
    ],
)
def test_what_somebody_has_spoilt(upkeep: Upkeep, story: Story, spoil: Spoil, fault: str, statement: str) -> None:
    spoil(statement)
    found = upkeep.examine()
    assert {one.name for one in found.faults} == {fault}
    assert all(one.what and one.todo for one in found.faults)


@pytest.mark.parametrize(
    ("fault", "statement"),
    [
        ("payloads", "UPDATE tasks SET payload = '{' WHERE status = 'queued'"),
        ("results", "UPDATE tasks SET result = 'no' WHERE status = 'completed'"),
        ("references", "INSERT INTO attempts VALUES (99, 99, 1, 'w', NULL, '', 'error', 0, 'e')"),
        ("references", "INSERT INTO attempts_archive VALUES (99, 99, 1, 'w', NULL, '', 'error', 0, 'e')"),
    ],
)
def test_what_only_a_full_examination_finds(
    upkeep: Upkeep, story: Story, spoil: Spoil, fault: str, statement: str
) -> None:
    spoil(statement)
    assert upkeep.examine().faults == []
    assert {one.name for one in upkeep.examine(full=True).faults} == {fault}


def test_leases_of_processes_that_are_gone(upkeep: Upkeep, story: Story, spoil: Spoil) -> None:
    spoil("UPDATE tasks SET claimed_at = '2026-01-31T09:30:00.250Z' WHERE status = 'running'")
    assert upkeep.examine(workers=["c/1"]).faults == []
    assert [fault.name for fault in upkeep.examine(workers=["d/1"]).faults] == ["leases"]
    assert upkeep.examine().faults == []


def test_the_messages_are_named(upkeep: Upkeep, story: Story, spoil: Spoil) -> None:
    spoil("UPDATE tasks SET lease_owner = 'x' WHERE status = 'queued' AND recipient = 'd'")
    (fault,) = upkeep.examine().faults
    task = story.writer._connection.execute("SELECT task_id FROM tasks WHERE recipient = 'd'").fetchone()[0]
    assert (fault.what, fault.examples) == ("1 message are queued, and leased or cancelled at the same time", (task,))


def test_an_index_that_does_not_agree_with_its_table(upkeep: Upkeep, path: Path, story: Story) -> None:
    story.writer.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:  # the index is of other rows from now on
        connection.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_schema SET sql = replace(sql, '''queued''', '''running''') WHERE name = 'tasks_queued'"
        connection.execute(sql)
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute("REINDEX tasks_queued")
        connection.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_schema SET sql = replace(sql, '''running''', '''queued''') WHERE name = 'tasks_queued'"
        connection.execute(sql)
    found = upkeep.examine()
    assert "depths" in {fault.name for fault in found.faults}
    assert any("REINDEX" in fault.todo for fault in found.faults)


def test_damage(upkeep: Upkeep, path: Path, story: Story) -> None:
    for number in range(200):
        story.sent("d", "t", {"text": f"{number}" * 200})
    story.writer.close()
    data = bytearray(path.read_bytes())
    middle = len(data) // 8192 * 4096
    data[middle : middle + 8192] = b"\xff" * 8192
    path.write_bytes(data)
    found = upkeep.examine()
    assert {fault.name for fault in found.faults} == {"damage"}
    assert "squad maintenance restore" in found.faults[0].todo


def test_what_is_no_database_of_ours(upkeep: Upkeep, path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        upkeep.examine()
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="empty database"):
        upkeep.examine()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(StoreError, match="of another program"):
        upkeep.examine()
