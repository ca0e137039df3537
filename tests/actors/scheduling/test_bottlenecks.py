"""What an agent is told of what is slow: by the real scheduler, on a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.scheduling.bottlenecks import KEY, Teller, period_end
from squad.config.bottlenecks import BottlenecksConfig
from squad.config.schema import AgentConfig, SquadConfig
from squad.ids import new_id
from squad.messages import type_of
from squad.notices import BOTTLENECKS, Bottlenecks
from squad.store.database import open_reader
from squad.store.rows import NewTask, Outcome
from tests.actors.scheduling.test_scheduler_staged import START, Play
from tests.store import singly

EVERY = 240.0
Make = Callable[..., "Told"]


class Told(Play):
    """A scheduler without schedules, that tells ``one`` what took ``one`` longer than a second."""

    def __init__(self, home: Path, **keys: Any) -> None:
        super().__init__(home, missed="skip")
        self.scheduler.dead = True
        tells = BottlenecksConfig(**{"tell": "one", "every": EVERY, "slower_than": 1} | keys)
        self.config = SquadConfig(agents={"one": AgentConfig(class_="p:A")}, bottlenecks=tells)
        self.start()
        self.stage.advance(0.5)  # what ends at the very moment of a mark belongs to the time before it

    @property
    def now(self) -> float:
        return self.stage.clock.time()

    def handled(self, ms: int | None, kind: str = "t") -> str:
        """A message that ends now, or with None runs from now on."""
        writer = self.storage.writer
        task = NewTask(new_id(), "test", "one", kind, "{}")
        with writer.transaction():
            writer.submit([task], self.now)
            lease = next(
                lease for lease in singly.claim(writer, "one", "one.1", 99, self.now) if lease.task_id == task.task_id
            )
            if ms is not None:
                outcome = Outcome(lease.row, lease.fence, "done", started=self.now, duration_ms=ms)
                singly.settle(writer, "one.1", "one", [outcome], self.now, lambda *_: None)
        return task.task_id

    @property
    def told(self) -> list[Bottlenecks]:
        rows = self.rows(f"SELECT payload FROM tasks WHERE type = '{BOTTLENECKS}' ORDER BY id")  # noqa: S608
        return [type_of(Bottlenecks).decode(payload) for (payload,) in rows]

    @property
    def mark(self) -> float:
        return float(json.loads(self.storage.writer.get(KEY) or "")["mark"])


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def make(**keys: Any) -> Told:
            told = Told(tmp_path, **keys)
            stack.callback(told.storage.writer.close)
            return told

        yield make


def test_what_was_slow_is_told_when_the_period_is_over(made: Make) -> None:
    play = made()
    play.handled(900)
    slow = [play.handled(ms) for ms in (1500, 3000)]
    play.stage.advance(EVERY - 1)
    assert play.told == []
    play.stage.advance(3)
    (notice,) = play.told
    assert (notice.count, notice.slower_than_ms, notice.running) == (2, 1000, [])
    assert [(task["id"], task["duration_ms"]) for task in notice.tasks] == [(slow[1], 3000), (slow[0], 1500)]
    assert (notice.since, notice.until) == ("2027-01-15T08:00:30.000Z", "2027-01-15T08:04:30.000Z")
    (row,) = play.rows("SELECT sender, recipient, key FROM tasks WHERE key IS NOT NULL")
    assert row == ("scheduler", "one", "bottlenecks/2027-01-15T08:00:30.000Z")
    assert play.mark == START + EVERY


def test_a_period_without_anything_slow_is_not_told(made: Make) -> None:
    play = made()
    play.handled(10)
    play.stage.advance(2 * EVERY + 5)
    assert play.told == []
    assert play.mark == START + 2 * EVERY
    play.handled(5000)
    play.stage.advance(EVERY)
    (notice,) = play.told
    assert notice.since == "2027-01-15T08:08:30.000Z"


def test_a_handler_that_does_not_end_is_told_once_and_again_when_it_does(made: Make) -> None:
    play = made(slower_than=300)
    stuck = play.handled(None)
    play.stage.advance(EVERY + 5)
    assert play.told == []
    play.stage.advance(EVERY)
    (notice,) = play.told
    assert (notice.count, notice.tasks) == (0, [])
    assert [(task["id"], task["worker"]) for task in notice.running] == [(stuck, "one.1")]
    assert notice.running[0]["running_ms"] > 400_000
    play.stage.advance(3 * EVERY)
    assert len(play.told) == 1


def test_what_it_tells_is_no_news_to_itself(made: Make) -> None:
    play = made()
    play.handled(60_000, BOTTLENECKS)
    play.handled(None, BOTTLENECKS)
    play.stage.advance(EVERY + 5)
    assert len(play.rows("SELECT 1 FROM tasks")) == 2


def test_a_period_is_told_once_whoever_dies(made: Make) -> None:
    play = made()
    play.handled(5000)
    play.storage.mood = "mute"  # it commits, and nobody hears of it
    play.stage.advance(EVERY + 3)
    assert len(play.told) == 1
    play.crash()
    play.storage.mood = "well"
    play.stage.advance(20)
    assert len(play.told) == 1
    play.handled(5000)
    play.crash()
    play.stage.advance(EVERY)
    assert [notice.count for notice in play.told] == [1, 1]


def test_what_storage_did_not_hear_is_said_again(made: Make) -> None:
    play = made()
    play.handled(5000)
    play.storage.mood = "lossy"
    play.stage.advance(EVERY + 20)
    assert play.told == []
    play.storage_is("well")
    assert [notice.count for notice in play.told] == [1]
    assert play.mark == START + EVERY


def test_a_full_mailbox_is_tried_again(made: Make) -> None:
    play = made()
    play.handled(5000)
    play.storage.mood = "full"
    play.stage.advance(EVERY + 60)
    assert (play.told, play.mark) == ([], START)
    assert 10 <= play.storage.asked <= 14  # each five seconds
    play.storage.mood = "well"
    play.stage.advance(10)
    assert [notice.count for notice in play.told] == [1]


def test_after_a_time_that_it_was_down_all_periods_are_told_in_one(made: Make) -> None:
    play = made()
    play.handled(5000)
    play.scheduler.dead = True
    play.stage.advance(10.5 * EVERY)
    play.start()
    play.stage.advance(1)
    (notice,) = play.told
    assert notice.since == "2027-01-15T08:00:30.000Z"
    assert play.mark == START + 10 * EVERY


def test_a_clock_that_was_set_back_does_not_end_it(made: Make) -> None:
    play = made()
    with play.storage.writer.transaction():
        play.storage.writer.put([(KEY, json.dumps({"mark": START + 1e6}))], START)
    play.crash()
    assert play.mark == pytest.approx(START, abs=1)
    play.stage.advance(1)
    play.handled(5000)
    play.stage.advance(EVERY + 5)
    assert len(play.told) == 1


@pytest.mark.parametrize("kept", [None, "", "[]", "{}", '{"mark": "x"}', '{"mark": NaN}'])
def test_without_a_mark_only_what_comes_is_told(kept: str | None) -> None:
    assert Teller("s", BottlenecksConfig(tell="one"), kept, START).mark == START


def test_what_is_more_than_a_day_old_is_no_news() -> None:
    teller = Teller("s", BottlenecksConfig(tell="one"), json.dumps({"mark": START - 1e6}), START)
    assert teller.mark == START - 86_400


def test_a_database_that_cannot_be_read_is_tried_again(made: Make) -> None:
    play = made()
    play.handled(5000)
    with open_reader(play.home / "squad.db"):
        database, away = play.home / "squad.db", play.home / "away.db"
        database.rename(away)
        play.stage.advance(EVERY + 3)
        away.rename(database)
    play.stage.advance(10)
    assert [notice.count for notice in play.told] == [1]


@given(
    mark=st.floats(0, 4e9),
    every=st.floats(10, 1e6),
    passed=st.floats(-1e6, 1e7),
)
def test_periods_are_whole_and_over(mark: float, every: float, passed: float) -> None:
    end = period_end(mark, every, mark + passed)
    if passed < every * 0.999:
        assert end is None
    elif passed > every * 1.001:
        assert end is not None
        assert mark < end
        assert end <= mark + passed + 1e-3
        assert mark + passed - end < every * 1.001 + 1e-3
