"""What has ended, read in an order in which nothing is missed and nothing comes twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store import finished
from squad.store.database import Pool, open_reader
from squad.store.finished import Ended, Page, Place
from squad.store.rows import NewTask, Outcome
from squad.store.times import iso
from squad.store.writer import Writer
from tests.cli.a_store import Story
from tests.store import singly

NOW = 1_800_000_000.0
LONG_AFTER = NOW + 1e6


@pytest.fixture
def pool(writer: Writer, path: Path) -> Iterator[Pool]:
    with open_reader(path) as opened:
        yield opened


def page(pool: Pool, place: Place, most: int = 100, until: float = LONG_AFTER, *, content: bool = False) -> Page:
    with pool.connection() as database, database.atomic():
        return finished.page(database, place, until, most, content=content)


def start(pool: Pool, since: float = 0.0) -> Place:
    with pool.connection() as database:
        return finished.beginning(database, since)


def time_passes(writer: Writer, now: float) -> None:
    """A transaction that ends nothing."""
    with writer.transaction():
        writer.put([("clock", "{}")], now)


class Life:
    """Messages that end when a test says so."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def ended(self, now: float, *, count: int = 1, kind: str = "done", **fields: str) -> list[str]:
        tasks = [NewTask(new_id(), "cli", "a", "t", "{}", **fields) for _ in range(count)]  # type: ignore[arg-type]
        with self.writer.transaction():
            self.writer.submit(tasks, now)
            leases = singly.claim(self.writer, "a", "a.1", count, now)
            outcomes = [Outcome(*lease.claim, kind, error="ValueError: no", result="1") for lease in leases]
            singly.settle(self.writer, "a.1", "a", outcomes, now, lambda *_: None)
        return [task.task_id for task in tasks]


@pytest.fixture
def life(writer: Writer) -> Life:
    return Life(writer)


def ids(ends: list[Ended]) -> list[str]:
    return [ended.task_id for ended in ends]


def test_the_newest_ends_wait_until_no_more_can_come_of_their_time(life: Life, writer: Writer, pool: Pool) -> None:
    first = life.ended(NOW)
    found = page(pool, start(pool))
    assert (found.ends, found.open) == ([], True)

    also = life.ended(NOW)  # another transaction within the same millisecond
    time_passes(writer, NOW + 0.001)
    found = page(pool, found.place)
    assert ids(found.ends) == first + also
    assert (found.more, found.open) == (False, False)
    assert page(pool, found.place).ends == []


def test_nothing_is_read_that_is_later_than_wanted(life: Life, writer: Writer, pool: Pool) -> None:
    early, _late = life.ended(NOW), life.ended(NOW + 10)
    time_passes(writer, NOW + 20)

    found = page(pool, start(pool), until=NOW + 5)

    assert ids(found.ends) == early
    assert found.open


def test_a_message_that_took_long_is_not_missed_behind_those_that_came_later(writer: Writer, pool: Pool) -> None:
    story = Story(writer)
    slow, quick = story.sent("a", "t"), story.sent("b", "t")
    story.completed(quick)
    time_passes(writer, story.now + 0.5)
    found = page(pool, start(pool))
    assert ids(found.ends) == [quick]

    story.completed(slow)
    time_passes(writer, story.now + 1)
    assert ids(page(pool, found.place).ends) == [slow]


def test_many_that_end_in_one_moment_come_in_several_pages(life: Life, writer: Writer, pool: Pool) -> None:
    expected = life.ended(NOW, count=10)
    time_passes(writer, NOW + 1)
    place, seen = start(pool), []
    for size in (3, 3, 3):
        found = page(pool, place, size)
        assert (len(found.ends), found.more) == (size, True)
        place, seen = found.place, [*seen, *ids(found.ends)]
    found = page(pool, place, 3)

    assert [*seen, *ids(found.ends)] == expected
    assert not found.more


def test_dead_letters_come_with_their_attempts_and_once_more_after_a_replay(writer: Writer, pool: Pool) -> None:
    story = Story(writer)
    task = story.sent("a", "t")
    story.failed(task, "ValueError: no", attempts=3)
    with writer.transaction():
        writer.replay(writer.dead([task]), lambda _: None, story.now)
    story.failed(task, "KeyError: still", attempts=1)
    with writer.transaction():
        writer.replay(writer.dead([task]), lambda _: None, story.now)
    story.completed(task)
    time_passes(writer, story.now + 10)

    done, first, second = page(pool, start(pool)).ends

    assert [end.status for end in (first, second, done)] == ["failed", "failed", "completed"]
    assert [end.replays for end in (first, second, done)] == [0, 1, 2]
    assert [[failure.number for failure in end.failures] for end in (first, second, done)] == [[1, 2, 3], [4], []]
    assert [end.earlier for end in (first, second, done)] == [0, 3, 4]
    assert second.error == "KeyError: still"


def test_a_place_to_begin_leaves_out_what_ended_before(life: Life, writer: Writer, pool: Pool) -> None:
    life.ended(NOW)
    life.ended(NOW, kind="error")
    late, dead = life.ended(NOW + 10), life.ended(NOW + 10, kind="error")
    time_passes(writer, NOW + 20)

    assert ids(page(pool, start(pool, NOW + 5)).ends) == late + dead


def test_payloads_come_only_when_wanted_and_not_too_many_at_once(life: Life, writer: Writer, pool: Pool) -> None:
    large = '{"text":"%s"}' % ("x" * 900_000)
    tasks = [NewTask(new_id(), "cli", "a", "t", large) for _ in range(5)]
    with writer.transaction():
        writer.submit(tasks, NOW)
        for task in tasks:
            writer.cancel(task.task_id, False, NOW)
    time_passes(writer, NOW + 1)

    assert [ended.payload for ended in page(pool, start(pool)).ends] == [""] * 5
    found = page(pool, start(pool), content=True)
    assert (len(found.ends), found.more) == (2, True)
    assert found.ends[0].payload == large


@pytest.mark.parametrize("statement", list(finished.statements()))
def test_no_statement_walks_through_all_messages(
    writer: Writer, sql: Callable[..., list[tuple[object]]], statement: str
) -> None:
    plan = [str(row[3]) for row in sql(f"EXPLAIN QUERY PLAN {statement}", *[0] * statement.count("?"))]

    assert plan
    assert not [step for step in plan if step.startswith("SCAN")], plan


Step = tuple[str, int]


@settings(max_examples=30)
@given(
    steps=st.lists(st.tuples(st.sampled_from(["done", "error", "tick", "read"]), st.integers(1, 4)), max_size=25),
)
def test_every_end_is_read_once_whenever_one_looks(tmp_path_factory: pytest.TempPathFactory, steps: list[Step]) -> None:
    path = tmp_path_factory.mktemp("finished") / "squad.db"
    writer = Writer(path, StoreConfig())
    life, now, expected, seen = Life(writer), NOW, [], []
    with open_reader(path) as pool:
        place = start(pool)
        for what, number in [*steps, ("tick", 1), ("read", 100), ("read", 100)]:
            match what:
                case "tick":
                    now += number / 1000
                    time_passes(writer, now)
                case "read":
                    found = page(pool, place, number)
                    place, seen = found.place, [*seen, *ids(found.ends)]
                case _:
                    expected += life.ended(now, count=number, kind=what)
    writer.close()

    assert sorted(seen) == sorted(expected)
    assert place.at <= iso(now)


def test_other_ends_do_not_overtake_dead_letters(life: Life, writer: Writer, pool: Pool) -> None:
    dead = [task for number in range(10) for task in life.ended(NOW + number, kind="error")]
    done = [task for number in range(10) for task in life.ended(NOW + number + 0.5)]
    time_passes(writer, NOW + 20)
    place, seen = start(pool), []
    while len(seen) < 20:
        found = page(pool, place, 4)
        place, seen = found.place, [*seen, *ids(found.ends)]
        left = [iso(NOW + number) for number, task in enumerate(dead) if task not in seen]
        assert not left or place.at <= left[0]

    assert sorted(seen) == sorted(dead + done)
