"""A backup takes the place of the database, which is set aside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from squad.config.schema import StoreConfig
from squad.errors import NewerDatabaseError, StoreError
from squad.launcher.begin import check_database
from squad.store.upkeep import Upkeep, restoring
from squad.store.writer import Writer
from tests.cli.a_store import Story


@pytest.fixture
def backup(upkeep: Upkeep, story: Story, tmp_path: Path) -> Path:
    """Made before another message came."""
    upkeep.back_up(tmp_path / "backup.db")
    story.sent("late", "t")
    return tmp_path / "backup.db"


def recipients(path: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT recipient FROM tasks")}


def test_it_takes_the_place_of_what_was_there(upkeep: Upkeep, story: Story, backup: Path) -> None:
    story.writer.close()
    found = upkeep.candidate(backup)
    assert found.messages == {"completed": 1, "failed": 1, "queued": 2, "running": 1}
    done = upkeep.restore(found)
    assert recipients(upkeep.path) == {"a", "b", "c", "d"}
    assert done.aside is not None
    assert recipients(done.aside) == {"a", "b", "c", "d", "late"}
    assert upkeep.path.stat().st_mode & 0o777 == 0o600
    assert not restoring.marker(upkeep.path).exists()
    check_database(upkeep.path)
    with closing(Writer(upkeep.path, StoreConfig())) as writer:
        assert [lease.recipient for lease in writer.open_leases()] == ["c"]


def test_a_log_is_set_aside_with_its_database(upkeep: Upkeep, story: Story, backup: Path) -> None:
    """As after a kill: what is only in the log stays readable under the new name, and never gets into the other."""
    assert upkeep.path.with_name("squad.db-wal").stat().st_size
    done = upkeep.restore(upkeep.candidate(backup))
    assert done.aside is not None
    assert done.aside.with_name(f"{done.aside.name}-wal").exists()
    assert not upkeep.path.with_name("squad.db-wal").exists()
    story.writer.close()
    assert "late" in recipients(done.aside)
    assert recipients(upkeep.path) == {"a", "b", "c", "d"}


def test_twice_in_a_second_loses_nothing(upkeep: Upkeep, story: Story, backup: Path) -> None:
    story.writer.close()
    first, second = (upkeep.restore(upkeep.candidate(backup)).aside for _ in range(2))
    assert first != second
    assert first is not None and first.exists()
    assert second is not None and second.exists()


def test_an_empty_home(backup: Path, tmp_path: Path) -> None:
    elsewhere = Upkeep(tmp_path / "squad.db")
    done = elsewhere.restore(elsewhere.candidate(backup))
    assert done.aside is None
    assert recipients(elsewhere.path) == {"a", "b", "c", "d"}


def test_interrupted_while_the_names_change(
    upkeep: Upkeep, story: Story, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.writer.close()
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_set_aside", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            upkeep.restore(upkeep.candidate(backup))
    with pytest.raises(StoreError, match="interrupted"):
        check_database(upkeep.path)
    upkeep.restore(upkeep.candidate(backup))
    check_database(upkeep.path)


class TestRefusals:
    def test_what_is_no_backup(self, upkeep: Upkeep, story: Story, tmp_path: Path) -> None:
        file = tmp_path / "other.db"
        with pytest.raises(StoreError, match="there is no file"):
            upkeep.candidate(file)
        with pytest.raises(StoreError, match="the database itself"):
            upkeep.candidate(upkeep.path)
        file.write_text("text" * 1000)
        with pytest.raises(StoreError, match="is no database"):
            upkeep.candidate(file)
        file.write_bytes(b"")
        with pytest.raises(StoreError, match="empty"):
            upkeep.candidate(file)

    def test_a_newer_one_and_a_damaged_one(self, upkeep: Upkeep, backup: Path) -> None:
        data = backup.read_bytes()
        with closing(sqlite3.connect(backup, isolation_level=None)) as connection:
            connection.execute("INSERT INTO schema_version VALUES (99, 'future', '')")
        with pytest.raises(NewerDatabaseError):
            upkeep.candidate(backup)
        backup.write_bytes(data[: len(data) // 2])
        with pytest.raises(StoreError, match="damaged"):
            upkeep.candidate(backup)
