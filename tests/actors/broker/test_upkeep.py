"""The storage tidies its database at planned times and by hand, when nobody waits, and answers who asks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.actors.broker import upkeep
from squad.actors.broker.rules import Rules
from squad.actors.broker.upkeep import Upkeep
from squad.actors.protocol import Maintain, MaintainDone, Submit
from squad.config.schema import StoreConfig
from squad.store.upkeep import report
from squad.store.upkeep.terms import Terms
from squad.store.writer import Writer
from tests.actors.a_storage import Storage, retry, task
from tests.running import eventually
from tests.store.moved_clock import MovedClock
from tests.store.old import DAY, Old, fill

NOW = 400 * DAY  # midnight
PLANNED = 3 * 3600 + 17 * 60.0  # seconds after it


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "squad.db"


class Stage:
    """The pure part, with a clock that the test moves."""

    def __init__(self, path: Path, terms: Terms) -> None:
        self.path = path
        self.clock = MovedClock(NOW)
        self.writer = Writer(path, StoreConfig())
        self.answers: list[MaintainDone] = []
        self.upkeep = Upkeep(self.writer, terms, lambda _, answer: self.answers.append(answer), self.clock)

    def turn(self, *, worked: bool = False, waiting: bool = False) -> None:
        self.upkeep.turn(worked=worked, waiting=waiting)

    def runs(self) -> int:
        with closing(sqlite3.connect(self.path)) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM events WHERE kind = 'maintained'").fetchone()[0])


@pytest.fixture
def stage(path: Path) -> Iterator[Stage]:
    made = Stage(path, Terms())
    yield made
    made.writer.close()


def settle(stage: Stage, turns: int = 10) -> None:
    for _ in range(turns):
        stage.turn()


def test_at_planned_times(stage: Stage) -> None:
    settle(stage)
    assert stage.runs() == 0
    assert stage.upkeep.due <= NOW + 3600  # the wall clock may be set
    while stage.clock.time() < NOW + PLANNED:
        stage.clock.advance(stage.upkeep.due - stage.clock.monotonic())
        stage.turn()
    settle(stage)
    assert stage.clock.time() == NOW + PLANNED
    assert stage.runs() == 1
    stage.clock.advance(3 * DAY)
    settle(stage)
    assert stage.runs() == 2


def test_a_clock_that_is_set_ahead_is_noticed(stage: Stage) -> None:
    stage.turn()
    stage.clock.set_by(DAY)
    stage.clock.advance(3600)
    settle(stage)
    assert stage.runs() == 1
    stage.clock.set_by(-2 * DAY)
    stage.clock.advance(DAY)
    settle(stage)
    assert stage.runs() == 1


def test_by_hand_alone(path: Path) -> None:
    stage = Stage(path, Terms(schedule="none"))
    stage.clock.advance(3 * DAY)
    settle(stage)
    assert stage.runs() == 0
    stage.upkeep.order(Maintain("1", "prune"), "somebody")
    settle(stage)
    assert stage.runs() == 1
    assert stage.answers == [MaintainDone("1", stage.clock.time(), False)]
    stage.upkeep.configure(Terms())
    stage.turn()
    assert stage.upkeep.due < stage.clock.monotonic() + DAY
    stage.writer.close()


def test_it_lets_others_go_first(stage: Stage) -> None:
    stage.turn()
    stage.upkeep.order(Maintain("1", "prune"), "somebody")
    stage.turn(waiting=True)
    assert stage.answers == []
    stage.clock.advance(0.3)
    stage.turn(waiting=True)  # but not for ever
    assert len(stage.answers) == 1


def test_what_fails_is_tried_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.turn()

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(stage.writer, "put", full)
        stage.upkeep.order(Maintain("1", "run"), "somebody")
        stage.turn()
    assert stage.answers[0].error is not None
    settle(stage)
    assert stage.runs() == 0  # not at once
    stage.upkeep.order(Maintain("2", "run"), "somebody")
    settle(stage)
    assert stage.runs() == 1


def test_beside_messages(path: Path) -> None:
    """A broker with its own thread: what is old leaves while messages come and go."""
    storage = Storage(path, Rules(retry, terms=Terms(schedule="none")))
    try:
        fill(path, [Old(time.time() - 40 * DAY) for _ in range(2000)])
        early = [task() for _ in range(2)]
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # until all of this has been said nothing can come to its end
            storage.put(Maintain("1", "run"))
            storage.put(Maintain("2", "prune"))
            storage.put(Submit("early", tuple(early)))
            other.execute("ROLLBACK")
        stored = len(early)
        while report.progress(path).last is None:
            stored += len(storage.submit(task()).results)
        first, second = storage.post.until(
            lambda: len(found := storage.post.of("gateway", MaintainDone)) == 2 and found
        )
        assert (first.already, second.already, first.began) == (False, True, second.began)
        assert stored > 1
    finally:
        storage.close()
    with closing(sqlite3.connect(path)) as connection:
        counts = "SELECT (SELECT COUNT(*) FROM tasks), (SELECT COUNT(*) FROM tasks_archive)"
        assert connection.execute(counts).fetchone() == (stored, 2000)


def test_a_storage_that_is_opened_again_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = Rules(retry, terms=Terms(schedule="none"))
    storage = Storage(path, rules)
    fill(path, [Old(time.time() - 40 * DAY) for _ in range(5000)])
    with monkeypatch.context() as patched:
        for name in ("_FREE_AT_WORK", "_FREE_IDLE"):
            patched.setattr(upkeep, name, 1e9)  # it gets no further than its first slice
        storage.put(Maintain("1", "run"))
        storage.post.until(lambda: storage.post.of("gateway", MaintainDone))
        storage.close()
    assert report.progress(path).run is not None
    storage.open(None)
    try:
        eventually(lambda: report.progress(path).last is not None, "it goes on to its end")
    finally:
        storage.close()
