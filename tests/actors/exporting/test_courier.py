"""A courier at work: over a real store, with a receiver and a clock of the test's own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from squad.actors.exporting import marks
from squad.actors.exporting.courier import Courier, Place, back_to
from squad.actors.exporting.marks import Mark
from squad.actors.exporting.pace import Answer
from squad.actors.exporting.spans import Span
from squad.clock import Clock
from squad.config.exporters import ExporterConfig
from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.finished import KEY
from squad.store.queries import Kept
from squad.store.rows import NewTask
from squad.store.times import iso
from squad.store.writer import Writer

NOW = 1_800_000_000.0
OTLP = ExporterConfig(kind="otlp", endpoint="http://127.0.0.1:1/v1/traces", every=5.0)


class Hand(Clock):
    """Both of its times go on when they are told to; the wall's can be set."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW, 100.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class Inbox:
    """A receiver that answers as it is told, and remembers what it took."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.taken: list[str] = []
        self.asked = 0
        self.poison: set[str] = set()

    def send(self, spans: Sequence[Span]) -> Answer:
        self.asked += 1
        if self.answers:
            return self.answers.pop(0)
        messages = [str(s.attributes["messaging.message.id"]) for s in spans if s.kind == "consumer"]
        if self.poison & set(messages):
            return Answer("malformed", "it answers 400")
        self.taken += messages
        return Answer("taken")


class Stage:
    """A store that a test writes, and whoever sends what ends there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = Hand()
        self.inbox = Inbox()
        self.writer = Writer(home / "squad.db", StoreConfig())
        self.kept: dict[str, Mark] = {}
        self.row: Kept | None = None  # the same in the store
        self.troubles: list[str] = []
        self.done = threading.Event()
        self.courier = self.another()

    def another(self, settings: ExporterConfig = OTLP, name: str = "jaeger", inbox: Inbox | None = None) -> Courier:
        """The courier of a new process."""
        now = self.clock.time()
        return Courier(
            Place(name, settings, "trek", self.home, now, back_to(self.row, now)),
            lambda: inbox or self.inbox,
            moved=self._moved,
            trouble=lambda _, wrong: self.troubles.append(wrong),
            done=lambda _: self.done.set(),
            log=logging.getLogger("test"),
            clock=self.clock,
        )

    def _moved(self, name: str, mark: Mark) -> None:
        self.kept[name] = mark
        self.clock.pass_by(0.01)
        self.row = Kept(marks.text(self.kept, self.kept), iso(self.clock.time()))
        with self.writer.transaction():
            self.writer.put([(KEY, self.row.value)], self.clock.time())

    def ended(self, count: int = 1, at: float | None = None) -> list[str]:
        now = self.clock.time() if at is None else at
        tasks = [NewTask(new_id(), "cli", "a", "t", "{}") for _ in range(count)]
        with self.writer.transaction():
            self.writer.submit(tasks, now)
            for task in tasks:
                self.writer.cancel(task.task_id, False, now)
        return [task.task_id for task in tasks]

    def looks(self, times: int = 3, courier: Courier | None = None) -> None:
        """So many looks of the courier, at its own pace."""
        for _ in range(times):
            self.clock.pass_by(max((courier or self.courier).look(), 0.001))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    with closing(made.writer):
        yield made


def test_only_what_ends_from_its_beginning_on_is_sent_and_once(stage: Stage) -> None:
    stage.ended(3, at=NOW - 10)
    stage.looks()
    expected = stage.ended(2)
    stage.looks()

    assert stage.inbox.taken == expected
    asked = stage.inbox.asked
    stage.looks(5)
    assert stage.inbox.asked == asked


def test_a_backfill_begins_earlier(stage: Stage) -> None:
    stage.ended(1, at=NOW - 7200)
    expected = stage.ended(2, at=NOW - 1800)
    stage.courier = stage.another(OTLP.model_copy(update={"backfill": 3600.0}))
    stage.looks()

    assert stage.inbox.taken == expected


def test_a_new_process_goes_on_where_the_last_was(stage: Stage) -> None:
    stage.looks()
    first = stage.ended(2)
    stage.looks()
    second = stage.ended(2)
    stage.clock.pass_by(100)
    stage.courier = stage.another()
    stage.looks()

    assert stage.inbox.taken == first + second


def test_while_the_receiver_is_away_nothing_is_lost_and_it_is_said_once(stage: Stage) -> None:
    stage.looks()
    expected = stage.ended(2)
    stage.inbox.answers = [Answer("away", "nobody listens there")] * 6
    stage.looks(4)
    expected += stage.ended(2)
    stage.looks(12)

    assert stage.inbox.taken == expected
    assert stage.troubles == ["http://127.0.0.1:1/v1/traces: nobody listens there", ""]


def test_one_message_that_is_not_understood_keeps_nobody_back(stage: Stage) -> None:
    stage.looks()
    tasks = stage.ended(20)
    stage.inbox.poison = {tasks[7]}
    stage.looks(30)

    assert stage.inbox.taken == [task for task in tasks if task != tasks[7]]
    assert stage.kept["jaeger"].skipped == 1
    assert stage.kept["jaeger"].sent == 19


@pytest.mark.parametrize("back", [0.4, 5.0, 3600.0])
def test_a_clock_that_is_set_back_loses_nothing(stage: Stage, back: float) -> None:
    stage.looks()
    before = stage.ended(2)
    stage.looks()
    stage.clock.pass_by(2)
    stage.clock.wall -= back
    after = stage.ended(2)
    stage.looks(6)

    assert set(stage.inbox.taken) == {*before, *after}


def test_a_clock_that_was_set_back_while_nobody_looked_loses_nothing(stage: Stage) -> None:
    stage.looks()
    stage.ended(2)
    stage.looks()
    stage.clock.wall -= 3600
    after = stage.ended(2)
    stage.clock.pass_by(1)
    stage.courier = stage.another()
    stage.looks(6)

    assert set(after) <= set(stage.inbox.taken)


def test_nor_does_it_for_a_second_receiver_whose_turn_comes_when_the_first_has_gone_on(stage: Stage) -> None:
    tempo = Inbox()
    other = stage.another(name="tempo", inbox=tempo)
    stage.ended(2)
    stage.looks()
    stage.looks(courier=other)
    stage.clock.wall -= 3600
    after = stage.ended(2)
    stage.clock.pass_by(1)
    stage.courier, other = stage.another(), stage.another(name="tempo", inbox=tempo)
    stage.looks(6)
    stage.looks(6, other)

    assert set(after) <= set(stage.inbox.taken)
    assert set(after) <= set(tempo.taken)


def test_a_database_that_cannot_be_read_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.looks()
    expected = stage.ended()
    database, away = stage.home / "squad.db", stage.home / "away.db"
    database.rename(away)
    stage.courier = stage.another()
    assert stage.courier.look() > 0
    assert "cannot be read" in stage.troubles[-1]

    away.rename(database)
    stage.looks()
    assert stage.inbox.taken == expected
    assert stage.troubles[-1] == ""


def test_without_its_packages_or_its_keys_it_says_what_to_do(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("squad.actors.exporting.courier.installed", lambda: False)
    stage.looks()
    assert stage.troubles == ["its packages are not installed: pip install 'squad-runtime[otel]'"]

    monkeypatch.undo()
    monkeypatch.delenv("A_TOKEN", raising=False)
    stage.courier = stage.another(OTLP.model_copy(update={"headers_env": {"authorization": "A_TOKEN"}}))
    stage.looks()
    assert "A_TOKEN is not set" in stage.troubles[-1]


def test_what_ends_before_it_can_send_at_all_is_sent_once_it_can(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with_key = OTLP.model_copy(update={"headers_env": {"authorization": "A_TOKEN"}})
    monkeypatch.delenv("A_TOKEN", raising=False)
    stage.courier = stage.another(with_key)
    stage.looks(1)
    expected = stage.ended(2)
    stage.clock.pass_by(60)
    monkeypatch.setenv("A_TOKEN", "one")
    stage.courier = stage.another(with_key)  # of a squad that was started again
    stage.looks()

    assert stage.inbox.taken == expected


def test_what_ends_last_is_sent_before_it_goes(stage: Stage) -> None:
    stage.looks()
    expected = stage.ended()
    stage.courier.stop()
    stage.courier.start()

    assert stage.done.wait(30)
    assert stage.inbox.taken == expected


def test_a_bug_is_told_and_ends_nothing(stage: Stage) -> None:
    def fail(spans: Sequence[Span]) -> Answer:
        raise RuntimeError("a bug")

    stage.looks()
    expected = stage.ended()
    stage.inbox.send, good = fail, stage.inbox.send  # type: ignore[method-assign]
    look: Callable[[], float] = stage.courier._guarded
    stage.clock.pass_by(2)
    assert [look() for _ in range(3)] == [5, 60, 60]
    assert stage.troubles == ["this is a bug in Squad: RuntimeError: a bug"]

    stage.inbox.send = good  # type: ignore[method-assign]
    stage.looks()
    assert stage.inbox.taken == expected
