"""The scheduler beside a storage that loses, refuses and forgets to answer, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squad import Agent, Context, handles
from squad.actors.protocol import Begin, Drain, Drained, Record, Report, StorageAt, Submit, SubmitDone
from squad.actors.scheduling import scheduler
from squad.actors.scheduling.scheduler import Scheduler
from squad.actors.scheduling.schedules import Kept, keeper_key
from squad.actors.supervision.children import ChildSpec
from squad.config.schedules import ScheduleConfig
from squad.config.schema import AgentConfig, SquadConfig, StoreConfig
from squad.cron import Timetable
from squad.errors import StoreError
from squad.store.database import open_reader
from squad.store.writer import Writer
from squad.testing import agent, squad_of
from squad.testing.stage import Stage, Staged
from tests.actors.squads.agents import Echo

START = 1_800_000_030.0
Mood = Literal["well", "lossy", "mute", "full"]
LINE = "* * * * *"


class StagedScheduler(Staged, Scheduler):
    """The real one, on the stage."""


class MoodyStorage:
    """Commits and answers when it is ``well``; ``lossy``: hears nothing; ``mute``: commits and is not heard; ``full``:
    refuses."""

    def __init__(self, home: Path, stage: Stage) -> None:
        self.writer = Writer(home / "squad.db", StoreConfig(synchronous="NORMAL"))
        self.mood: Mood = "well"
        self.asked = 0
        self._stage = stage

    def receive(self, msg: Any, sender: Any) -> None:
        if self.mood == "lossy" or not isinstance(msg, Submit | Record):
            return
        now = self._stage.clock.time()
        with self.writer.transaction():
            if isinstance(msg, Record):
                self.writer.record_events(msg.events, now)
                self.writer.put(msg.put, now)
                return
            self.asked += 1
            if self.mood == "full":
                self._stage.tell(sender, SubmitDone(msg.request, (), "the mailbox is full"), self)
                return
            results = self.writer.submit(msg.rows, now)
            self.writer.put(msg.put, now)
        if self.mood == "well":
            self._stage.tell(sender, SubmitDone(msg.request, tuple(results)), self)


class Play:
    """A scheduler with one schedule, its storage, and what became of it."""

    def __init__(self, home: Path, **keys: Any) -> None:
        self.home = home
        schedule = ScheduleConfig(**{"cron": LINE, "recipient": "one", "type": "t"} | keys)
        self.config = SquadConfig(agents={"one": AgentConfig(class_="p:A")}, schedules={"tick": schedule})
        self.stage = Stage(START, 10.0)
        self.storage = MoodyStorage(home, self.stage)
        self.heard: list[Any] = []  # by the supervisor, which is this
        self.start()

    def receive(self, msg: Any, sender: Any) -> None:
        self.heard.append(msg)

    def ended(self, actor: Any) -> None:
        raise AssertionError("the scheduler left by itself")

    def start(self) -> None:
        self.scheduler = StagedScheduler()
        self.scheduler.enter(self.stage, self)
        spec = ChildSpec("scheduler", "scheduler")
        begin = Begin(spec, "scheduler.1", str(self.home), self.config, self.storage)
        self.stage.tell(self.scheduler, begin, self)
        self.stage.run()

    def crash(self) -> None:
        self.scheduler.dead = True
        self.start()

    def storage_is(self, mood: Mood) -> None:
        """Another storage, perhaps: its address is said."""
        self.storage.mood = mood
        self.stage.tell(self.scheduler, StorageAt(self.storage), self)
        self.stage.run()

    def rows(self, sql: str) -> list[Any]:
        with open_reader(self.home / "squad.db") as pool, pool.connection() as database:
            return list(database.execute_sql(sql).fetchall())  # type: ignore[no-untyped-call]

    @property
    def runs(self) -> list[float]:
        keys = [row[0] for row in self.rows("SELECT key FROM tasks ORDER BY id")]
        return [datetime.fromisoformat(key.rpartition("/")[2]).timestamp() for key in keys]

    @property
    def kept(self) -> Kept | None:
        text = self.storage.writer.get(keeper_key("tick"))
        return None if text is None else Kept.read(text)

    @property
    def missed(self) -> int:
        return len(self.rows("SELECT 1 FROM events WHERE kind = 'schedule_missed'"))


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Play]]:
    with ExitStack() as stack:

        def make(**keys: Any) -> Play:
            made = Play(tmp_path, **keys)
            stack.callback(made.storage.writer.close)
            return made

        yield make


def minutes(*numbers: int) -> list[float]:
    """The planned times of LINE after START, by number from 1."""
    return [START - 30 + 60 * number for number in numbers]


def test_it_is_ready_and_keeps_when_it_began(play: Callable[..., Play]) -> None:
    stage = play()
    assert stage.heard[-1] == Report("scheduler.1", "ready")
    assert stage.kept == Kept(START, f"{LINE} UTC")
    stage.stage.advance(150)
    assert stage.runs == minutes(1, 2, 3)
    assert stage.kept is not None
    assert (stage.kept.mark, stage.kept.planned) == (minutes(3)[0], minutes(3)[0])


def test_an_answer_that_is_lost_is_asked_for_again(play: Callable[..., Play]) -> None:
    stage = play()
    stage.storage.mood = "mute"
    stage.stage.advance(31)
    assert stage.runs == minutes(1)
    stage.storage.mood = "well"
    stage.stage.advance(10)
    assert stage.storage.asked == 2
    stage.stage.advance(60)
    assert stage.runs == minutes(1, 2)


def test_a_message_that_is_lost_is_said_again(play: Callable[..., Play]) -> None:
    stage = play()
    stage.storage.mood = "lossy"
    stage.stage.advance(31)
    assert stage.runs == []
    stage.storage.mood = "well"
    stage.stage.advance(6)
    assert stage.runs == minutes(1)


def test_a_new_storage_hears_at_once_what_the_old_one_did_not_confirm(play: Callable[..., Play]) -> None:
    stage = play()
    stage.storage.mood = "lossy"
    stage.stage.advance(30)
    stage.storage_is("well")
    assert stage.runs == minutes(1)


def test_a_new_storage_hears_what_the_old_one_may_not_have_kept(play: Callable[..., Play]) -> None:
    stage = play()
    with stage.storage.writer.transaction():
        stage.storage.writer.put([(keeper_key("tick"), "lost")], 0.0)
    stage.storage_is("well")
    assert stage.kept == Kept(START, f"{LINE} UTC")


@pytest.mark.parametrize(
    ("missed", "runs"),
    [("skip", minutes(4)), ("once", minutes(4)), ("all", minutes(1, 2, 3, 4))],
)
def test_a_full_mailbox_is_tried_again_and_then_counts_as_missed(
    play: Callable[..., Play], missed: str, runs: list[float]
) -> None:
    stage = play(missed=missed)
    stage.storage.mood = "full"
    stage.stage.advance(211)  # past the fourth
    assert stage.runs == []
    assert 30 <= stage.storage.asked <= 42  # every five seconds
    stage.storage.mood = "well"
    stage.stage.advance(5)
    assert stage.runs == runs
    assert stage.missed == 3  # each is told of once


def test_a_mailbox_that_is_full_for_a_moment_is_late_not_missed(play: Callable[..., Play]) -> None:
    stage = play(missed="skip")
    stage.storage.mood = "full"
    stage.stage.advance(60)
    stage.storage.mood = "well"
    stage.stage.advance(5)
    assert stage.runs == minutes(1)
    assert stage.missed == 0


def test_when_it_drains_it_begins_nothing_more(play: Callable[..., Play]) -> None:
    stage = play()
    stage.stage.tell(stage.scheduler, Drain(), stage)
    stage.stage.advance(300)
    assert stage.heard[-1] == Drained("scheduler.1")
    assert stage.runs == []
    stage.crash()
    assert stage.runs == minutes(5)


def test_a_database_that_cannot_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise StoreError("the disk is on fire")

    monkeypatch.setattr(scheduler, "open_reader", broken)
    stage = Play(tmp_path)
    assert not [said for said in stage.heard if isinstance(said, Report)]
    monkeypatch.undo()
    stage.stage.advance(90)
    assert [said for said in stage.heard if isinstance(said, Report)] == [Report("scheduler.1", "ready")]
    assert stage.runs == minutes(1, 2)
    stage.storage.writer.close()


STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(0, 400)),
    st.tuples(st.just("mood"), st.sampled_from(["well", "lossy", "mute", "full"])),
    st.tuples(st.just("storage"), st.sampled_from(["well", "mute"])),
    st.tuples(st.just("crash"), st.none()),
)


@given(st.lists(STEPS, max_size=10), st.sampled_from([LINE, "*/10 * * * * *", "*/7 * * * *"]))
@settings(max_examples=40)
def test_in_the_end_every_planned_time_has_its_message(steps: list[tuple[str, Any]], line: str) -> None:
    with TemporaryDirectory(prefix="squad-") as folder:
        stage = Play(Path(folder), missed="all", cron=line)
        for what, value in [*steps, ("storage", "well"), ("pass", 60)]:
            if what == "pass":
                stage.stage.advance(value)
            elif what == "mood":
                stage.storage.mood = value
            elif what == "storage":
                stage.storage_is(value)
            else:
                stage.crash()
        times, expected = Timetable(line), []
        planned = times.after(START)
        while planned is not None and planned <= stage.stage.clock.time():
            expected.append(planned)
            planned = times.after(planned)
        assert stage.runs == expected
        assert stage.kept is not None
        assert stage.kept.mark == (expected[-1] if expected else START)
        stage.storage.writer.close()


class Slow(Agent):
    @handles(Echo)
    def echo(self, msg: Echo, ctx: Context) -> None: ...


def test_a_real_mailbox_that_is_full_gets_the_rest_when_there_is_room() -> None:
    slow = agent(Slow, queue={"limit": 2}, handle_rate={"per_minute": 2, "burst": 1})
    schedule = {"cron": "*/10 * * * * *", "recipient": "slow", "type": "echo", "missed": "all"}
    with squad_of(slow=slow, settings={"schedules": {"tick": schedule}}) as squad:
        began = squad.now.timestamp()
        squad.advance("3m")
        assert len(squad.sent("slow")) < 10  # of 18 planned
        squad.advance("30m")
        row = "SELECT key FROM tasks ORDER BY id"
        with open_reader(squad.client.home.database) as pool, pool.connection() as database:
            keys = [found[0] for found in database.execute_sql(row).fetchall()]  # type: ignore[no-untyped-call]
        times = [datetime.fromisoformat(key.rpartition("/")[2]).timestamp() for key in keys]
        assert times == [began + 10 * n for n in range(1, len(times) + 1)]
        assert 60 <= len(times) <= 70  # as fast as they are handled: two a minute
