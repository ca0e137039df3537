"""The broker while its database fails: senders hear of it, nothing is lost, and it goes on as soon as it can."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.actors.broker.trouble import Trouble
from squad.actors.protocol import (
    Attend,
    Attended,
    Cancel,
    Cancelled,
    Desk,
    DeskDone,
    Hold,
    HoldDone,
    Maintain,
    MaintainDone,
    Ready,
    Released,
    ReleaseDone,
    Settle,
    Submit,
    SubmitDone,
    Unwatch,
    Watch,
)
from squad.clock import SYSTEM
from squad.errors import DamagedError, StoreError
from squad.store.incidents import Unsilence
from squad.store.rows import NewTask
from tests.actors.a_storage import Storage, done, task


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(tmp_path / "squad.db", busy_timeout=20)
    yield opened
    opened.close()


def fill(storage: Storage) -> None:
    """From now on no page fits any more."""
    storage.writer._connection.execute("PRAGMA max_page_count = 1")


def make_room(storage: Storage) -> None:
    storage.writer._connection.execute("PRAGMA max_page_count = 1000000")


def told(storage: Storage) -> list[str]:
    return [state for state, _ in storage.post.sent["told"]]


def large() -> NewTask:
    return task()._replace(payload='{"text": "' + "x" * 500_000 + '"}')


def test_a_full_disk(storage: Storage) -> None:
    kept = task("w")
    storage.submit(kept)
    storage.put(Ready("w", "w/1", 1), "w/1")
    (lease,) = storage.post.until(lambda: storage.post.leases("w/1"))
    fill(storage)
    answer = storage.submit(large())
    assert "nothing was queued: the database" in answer.error
    assert "the disk is full (free some space" in answer.error
    assert "the disk is full" in storage.submit(large()).error
    storage.put(Settle("w", "w/1", (done(lease)._replace(result='"' + "x" * 500_000 + '"'),)), "w/1")
    for order, answer in (
        (Desk("1", "replay", ()), DeskDone),
        (Cancel("2", kept.task_id, False), Cancelled),
        (Hold("3", "pause", ("w",)), HoldDone),
        (Attend("4", Unsilence((), "")), Attended),
        (Maintain("5", "run"), MaintainDone),
    ):
        storage.put(order)
        (refused,) = storage.post.until(lambda answer=answer: storage.post.of("gateway", answer))
        assert isinstance(refused.error, StoreError)
        assert "nothing was done: the database" in refused.error.message
    assert told(storage)[0] == "failing"
    assert storage.post.settled("w/1") == []
    make_room(storage)
    assert storage.post.until(lambda: storage.post.settled("w/1")) == [(lease.row, lease.fence, True)]
    assert storage.post.until(lambda: told(storage)[-1:] == ["ready"])
    assert storage.submit(task()).error == ""
    with closing(sqlite3.connect(storage.path)) as database:
        assert database.execute("SELECT DISTINCT kind, subject FROM events").fetchall() == [("disrupted", "storage")]
        statuses = database.execute("SELECT status FROM tasks ORDER BY id").fetchall()
    assert statuses == [("completed",), ("queued",)]


def test_a_lock_is_waited_for(storage: Storage) -> None:
    with closing(sqlite3.connect(storage.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        storage.put(Submit("1", (task(),)))
        storage.put(Released("w/1", None, "gone", False), "supervisor")
        storage.post.until(lambda: "failing" in told(storage))
        storage.put(Submit("2", (task(),)))
        assert storage.post.of("gateway", SubmitDone) == []
        other.execute("ROLLBACK")
    storage.post.until(lambda: len(storage.post.of("gateway", SubmitDone)) == 2)
    assert [answer.error for answer in storage.post.of("gateway", SubmitDone)] == ["", ""]
    storage.post.until(lambda: storage.post.of("supervisor", ReleaseDone))
    storage.post.until(lambda: told(storage)[-1] == "ready")


def test_a_damaged_database_is_given_up(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: Any) -> Any:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(storage.writer, "submit", damaged)
    for _ in range(2):
        assert "is damaged (squad stop; squad maintenance check" in storage.submit(task()).error
    assert told(storage) == ["damaged"]
    storage.put(Ready("w", "w/1", 1), "w/1")
    storage.submit(task())
    assert storage.post.leases("w/1") == []
    storage.close()


class TestKept:
    """What is said again meanwhile is kept once."""

    def trouble(self, error: StoreError) -> tuple[Trouble, list[Any]]:
        sent: list[Any] = []
        made = Trouble(lambda address, msg: sent.append(msg), lambda state, text: None, SYSTEM)
        made.met([], error)
        return made, sent

    def test_in_the_order_in_which_it_first_came(self) -> None:
        trouble, _ = self.trouble(StoreError("full"))
        first, gone, later = Ready("a", "a/1", 1), Released("a/1", None, ""), Ready("a", "a/1", 2)
        for _ in range(3):
            trouble.put_off([(first, "x"), (gone, "s"), (later, "x")])
        assert trouble.with_kept([]) == [(later, "x"), (gone, "s")]

    def test_a_watch_that_is_over_goes(self) -> None:
        trouble, _ = self.trouble(StoreError("full"))
        trouble.put_off([(Watch("1", "t", False), "g"), (Unwatch("1"), "g"), (Unwatch("2"), "g")])
        assert trouble.with_kept([]) == [(Unwatch("2"), "g")]

    def test_nothing_when_it_is_damaged(self) -> None:
        trouble, sent = self.trouble(DamagedError("damaged"))
        trouble.put_off([(Ready("a", "a/1", 1), "x"), (Submit("1", ()), "g")])
        assert trouble.with_kept([]) == []
        assert [type(msg) for msg in sent] == [SubmitDone]
        assert trouble.pause is None

    def test_pauses_grow(self) -> None:
        trouble, _ = self.trouble(StoreError("full"))
        before = trouble.pause or 0.0
        for _ in range(20):
            trouble.met([], StoreError("full"))
        assert before <= 0.1
        assert 4.0 < (trouble.pause or 0.0) <= 5.0
