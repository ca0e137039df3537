"""A database is copied while it is written to; what fails leaves nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from squad.config.schema import StoreConfig
from squad.errors import StoreError
from squad.ids import new_id
from squad.store.rows import NewTask, Outcome
from squad.store.upkeep import Upkeep, copying, latest
from squad.store.writer import Writer
from tests.cli.a_store import Story
from tests.store import singly


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "copy.db"


def counts(path: Path) -> Counter[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return Counter(dict(connection.execute("SELECT status, COUNT(*) FROM tasks GROUP BY status")))


def test_a_copy_with_the_writer_open_and_without(upkeep: Upkeep, story: Story, target: Path) -> None:
    made = upkeep.back_up(target)
    assert (made.path, made.bytes, made.schema) == (target, target.stat().st_size, upkeep.examine().schema)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [file.name for file in target.parent.iterdir()] == ["copy.db"]
    assert Upkeep(target).examine(full=True).faults == []
    story.writer.close()
    upkeep.back_up(target, force=True)
    assert counts(target) == counts(upkeep.path)


def test_a_copy_under_load_is_of_one_moment(upkeep: Upkeep, path: Path, target: Path) -> None:
    """Each transaction settles a message and sends another: in a copy there is always exactly one that waits."""
    ended = threading.Event()
    copied_in_the_middle = 0

    def work() -> None:
        with closing(Writer(path, StoreConfig(synchronous="NORMAL"))) as writer:
            with writer.transaction():
                writer.submit([NewTask(new_id(), "t", "a", "t", "{}")], 1.0)
            ready.set()
            while not ended.is_set():
                with writer.transaction():
                    (lease,) = singly.claim(writer, "a", "a/1", 1, 1.0)
                    send = NewTask(new_id(), "a", "a", "t", '{"text": "%s"}' % ("x" * 2000))
                    outcome = Outcome(lease.row, lease.fence, "done", 1.0, 1, "null", sends=(send,))
                    singly.settle(writer, "a/1", "a", [outcome], 1.0, lambda *_: None)

    ready = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(30)
        while copied_in_the_middle < 3:
            before = counts(path)["completed"]
            upkeep.back_up(target, force=True)
            found = counts(target)
            assert (found["queued"], set(found)) == (1, {"queued", "completed"} if found["completed"] else {"queued"})
            assert Upkeep(target).examine().faults == []
            copied_in_the_middle += before < counts(path)["completed"]
    finally:
        ended.set()
        thread.join(30)


@pytest.mark.usefixtures("story")
class TestRefusals:
    def refused(self, upkeep: Upkeep, target: Path, *, force: bool = False) -> str:
        before = sorted(path for path in target.parent.iterdir()) if target.parent.is_dir() else []
        with pytest.raises(StoreError) as caught:
            upkeep.back_up(target, force=force)
        assert before == (sorted(path for path in target.parent.iterdir()) if target.parent.is_dir() else [])
        assert caught.value.hint
        return caught.value.message

    def test_a_file_that_exists(self, upkeep: Upkeep, target: Path) -> None:
        target.write_text("mine")
        assert "exists already" in self.refused(upkeep, target)
        assert target.read_text() == "mine"

    def test_places_that_are_none(self, upkeep: Upkeep, target: Path) -> None:
        assert "there is no folder" in self.refused(upkeep, target / "a" / "b")
        assert "is a folder" in self.refused(upkeep, target.parent)
        assert "the database itself" in self.refused(upkeep, upkeep.path, force=True)
        assert "there is no database" in self.refused(Upkeep(target), target.with_name("other.db"))

    def test_a_disk_without_room(self, upkeep: Upkeep, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = os.statvfs(target.parent)
        small = os.statvfs_result((*found[:3], 1, 1, *found[5:]))
        monkeypatch.setattr(os, "statvfs", lambda _: small)
        assert "are free" in self.refused(upkeep, target)

    def test_a_disk_that_fills_up_meanwhile(
        self, upkeep: Upkeep, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect = sqlite3.connect

        def small(path: Path | str, **settings: object) -> sqlite3.Connection:
            connection = connect(path, **settings)  # type: ignore[call-overload]
            if str(path).endswith(".partial"):
                connection.execute("PRAGMA max_page_count = 5")
            return connection

        monkeypatch.setattr(copying.sqlite3, "connect", small)
        assert "could not be finished" in self.refused(upkeep, target)
        target.write_text("the backup of yesterday")
        assert "could not be finished" in self.refused(upkeep, target, force=True)
        assert target.read_text() == "the backup of yesterday"


def test_the_newest_is_known(upkeep: Upkeep, story: Story, target: Path) -> None:
    assert latest.latest(upkeep.path) is None
    upkeep.back_up(target)
    found = latest.latest(upkeep.path)
    assert found is not None
    assert found.path == target
    target.unlink()
    assert latest.latest(upkeep.path) is None
