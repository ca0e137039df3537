"""What is old leaves, in slices, as the dry run has said; what is not stays; a planned time is dealt with once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squad.config.schema import StoreConfig
from squad.errors import StoreError
from squad.store import retention
from squad.store.retention import Removed
from squad.store.upkeep import Upkeep
from squad.store.upkeep.course import KEY, Course, Done, deleted, read
from squad.store.upkeep.terms import Terms, reading_keeper
from squad.store.writer import Writer
from tests.store.moved_clock import MovedClock
from tests.store.old import DAY, Old, fill, history

NOW = 400 * DAY
OLD, ANCIENT, NEW = NOW - 31 * DAY, NOW - 121 * DAY, NOW - DAY
EXPORTED = Terms(exporter=True)

Sql = Callable[..., list[Any]]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(NOW)


@pytest.fixture
def sql(path: Path, writer: Writer) -> Iterator[Sql]:
    with closing(sqlite3.connect(path)) as connection:
        yield lambda statement, *values: connection.execute(statement, values).fetchall()


def complete(course: Course, what: Any = "prune", terms: Terms = Terms()) -> Done:  # noqa: B008 - it is a tuple
    course.take(terms)
    course.begin("hand", what)
    while (done := course.turn(0.0)) is None:
        pass
    return done


def would(path: Path, terms: Terms = Terms(), now: float = NOW) -> Removed:  # noqa: B008
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return retention.would_leave(connection, terms.limits(now, reading_keeper(connection)))


def test_what_leaves_and_what_stays(path: Path, writer: Writer, clock: MovedClock, sql: Sql) -> None:
    ids = fill(
        path,
        [
            Old(OLD),
            Old(OLD, status="failed"),
            Old(NEW),
            Old(None),
            Old(OLD),  # the root of a tree in which
            Old(OLD, parent=4),
            Old(None, parent=5),  # something is open
            Old(ANCIENT, status="expired"),  # deleted at once
            Old(ANCIENT, parent=3),  # its root is open, but it is too old for anything
            Old(OLD, status="cancelled"),
        ],
    )
    history(path, [OLD, NEW, OLD])
    expected = would(path)
    done = complete(Course(writer, clock))
    assert done.removed == expected
    kept = {row[0] for row in sql("SELECT task_id FROM tasks")}
    assert kept == {ids[number] for number in (2, 3, 4, 5, 6)}
    assert {row[0] for row in sql("SELECT task_id FROM tasks_archive")} == {ids[0], ids[1], ids[9]}
    assert (done.removed.archived, done.removed.dead, deleted(done.removed)) == (3, 1, 2)
    assert sql("SELECT task_row, number, final FROM attempts_archive") == [(2, 1, 1)]
    assert sql("SELECT COUNT(*) FROM attempts") == [(0,)]
    for table, more in (("events", 1), ("machine_samples", 0), ("convoy_resizes", 0)):  # one event is of this itself
        assert sql(f"SELECT COUNT(*) FROM {table}") == [(1 + more,)]  # noqa: S608 - constants
    assert sql("SELECT detail FROM events WHERE kind = 'maintained'")[0][0].startswith(
        '{"why": "hand", "what": "prune"'
    )
    assert Upkeep(path).examine(full=True).faults == []
    again = complete(Course(writer, clock))
    assert sum(again.removed.rows.values()) == 0


def test_all_of_a_message_is_in_the_archive(path: Path, writer: Writer, clock: MovedClock, sql: Sql) -> None:
    fill(path, [Old(OLD)], payload='{"text": "ü"}')
    before = sql("SELECT * FROM tasks")
    complete(Course(writer, clock))
    assert sql("SELECT * FROM tasks_archive") == before
    for table in ("tasks", "attempts"):
        columns = [row[1] for row in sql(f"PRAGMA table_info({table})")]
        assert [row[1] for row in sql(f"PRAGMA table_info({table}_archive)")] == columns


def test_the_archive_is_left_in_its_turn(path: Path, writer: Writer, clock: MovedClock, sql: Sql) -> None:
    fill(path, [Old(OLD), Old(OLD, status="failed")])
    course = Course(writer, clock)
    complete(course)
    clock.advance(88 * DAY)
    assert sum(complete(course).removed.of(table) for table in ("tasks_archive", "attempts_archive")) == 0
    clock.advance(2 * DAY)
    expected = would(path, now=clock.time())
    done = complete(course)
    assert done.removed == expected
    assert (done.removed.of("tasks_archive"), done.removed.of("attempts_archive")) == (2, 1)
    assert sql("SELECT COUNT(*) FROM tasks_archive") == [(0,)]


def test_without_an_archive(path: Path, writer: Writer, clock: MovedClock, sql: Sql) -> None:
    fill(path, [Old(OLD), Old(NEW)])
    done = complete(Course(writer, clock), terms=Terms(archive=0.0))
    assert (done.removed.archived, deleted(done.removed)) == (0, 1)
    assert sql("SELECT COUNT(*) FROM tasks_archive") == [(0,)]


def test_what_no_exporter_has_sent_is_kept_for_a_while(path: Path, writer: Writer, clock: MovedClock, sql: Sql) -> None:
    ids = fill(path, [Old(ANCIENT), Old(OLD - DAY), Old(OLD)])
    course = Course(writer, clock)
    assert complete(course, terms=EXPORTED).removed.unsent == 1  # it has waited for as long as the archive is
    with writer.transaction():
        writer.put([("export", '{"until": "1971-01-04T12:00:00.000Z"}')], NOW)  # between the two
    assert would(path, EXPORTED).archived == 1
    done = complete(course, terms=EXPORTED)
    assert (done.removed.archived, done.removed.unsent) == (1, 0)
    assert [row[0] for row in sql("SELECT task_id FROM tasks")] == [ids[2]]
    with writer.transaction():
        writer.put([("export", "[]")], NOW)
    assert complete(course, terms=EXPORTED).removed.archived == 0
    assert complete(course).removed.archived == 1


messages = st.lists(
    st.builds(
        Old,
        st.one_of(st.none(), st.floats(NOW - 150 * DAY, NOW)),
        st.none() | st.integers(0, 30),
        st.sampled_from(["completed", "failed", "cancelled", "expired"]),
    ),
    max_size=25,
)


@settings(max_examples=25)  # each makes a database
@given(messages, st.lists(st.floats(NOW - 40 * DAY, NOW), max_size=5), st.booleans())
def test_the_dry_run_is_right(
    tmp_path_factory: pytest.TempPathFactory, found: list[Old], moments: list[float], exported: bool
) -> None:
    path = tmp_path_factory.mktemp("dry") / "squad.db"
    terms = Terms(exporter=exported)
    with closing(Writer(path, StoreConfig(synchronous="NORMAL"))) as writer:
        trees = [
            old._replace(parent=old.parent % n if n and old.parent is not None else None) for n, old in enumerate(found)
        ]
        fill(path, trees)
        history(path, moments)
        with writer.transaction():
            writer.put([("export", '{"until": "1970-12-01T00:00:00.000Z"}')], NOW)
        expected = would(path, terms)
        assert complete(Course(writer, MovedClock(NOW)), terms=terms).removed == expected
        assert Upkeep(path).examine(full=True).faults == []
        assert sum(would(path, terms).rows.values()) == 0


class TestCourse:
    def test_it_goes_on_where_it_was(self, path: Path, clock: MovedClock, sql: Sql) -> None:
        fill(path, [Old(OLD)] * 200)
        with closing(Writer(path, StoreConfig())) as first:
            course = Course(first, clock)
            course.begin("hand", "run")
            assert course.turn(0.0) is None
        left = sql("SELECT COUNT(*) FROM tasks")[0][0]
        assert 0 < left < 200
        with closing(Writer(path, StoreConfig())) as second:
            course = Course(second, clock)
            run = course.begin("schedule", "prune")
            assert (run.why, run.what, run.removed.archived) == ("hand", "run", 200 - left)
            while (done := course.turn(0.0)) is None:
                pass
            assert (done.removed.archived, done.why) == (200, "hand")
        assert Upkeep(path).examine(full=True).faults == []

    def test_what_fails_is_not_done(
        self, path: Path, writer: Writer, clock: MovedClock, sql: Sql, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(path, [Old(OLD)] * 20)
        course = Course(writer, clock)
        course.begin("hand", "prune")
        before = course.progress
        with monkeypatch.context() as patched:
            patched.setattr(writer, "put", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk full")))
            with pytest.raises(StoreError):
                course.turn(0.0)
        assert course.progress is before
        assert sql("SELECT COUNT(*) FROM tasks_archive") == [(0,)]
        assert complete(course).removed.archived == 20

    def test_planned_times_come_once(self, path: Path, writer: Writer, clock: MovedClock) -> None:
        course = Course(writer, clock)
        assert course.next_planned() is None
        course.take(Terms())
        first = course.next_planned()
        assert first == NOW + 3 * 3600 + 17 * 60
        clock.advance(10 * DAY)
        assert course.next_planned() == first  # missed ten times, and made up for once
        course.begin("schedule", "run")
        while course.turn(0.0) is None:
            pass
        again = Course(writer, clock)
        assert again.next_planned() == first + 10 * DAY
        assert again.progress.last is not None
        assert again.progress.last.why == "schedule"
        again.take(Terms(schedule="none"))
        assert again.next_planned() is None
        clock.set_by(-5 * DAY)
        again.take(Terms())
        assert again.next_planned() == first + 10 * DAY

    def test_what_is_kept_can_be_read_whatever_it_is(self, writer: Writer, clock: MovedClock) -> None:
        course = Course(writer, clock)
        course.begin("hand", "run")
        course.turn(0.0)
        assert read(course.progress.text()) == course.progress
        complete(course)
        assert read(course.progress.text()) == course.progress
        for text in (
            None,
            "",
            "[]",
            "3",
            '{"run": 3}',
            '{"terms": {"x": 1}}',
            '{"last": {}}',
            '{"run": {"step": "x"}}',
        ):
            read(text)

    def test_pages_are_given_back(self, path: Path, writer: Writer, clock: MovedClock) -> None:
        fill(path, [Old(ANCIENT)] * 300, payload=f'"{"x" * 8000}"')
        writer.tidying.checkpoint(truncate=True)
        before = path.stat().st_size
        course = Course(writer, clock)
        pruned = complete(course)
        assert (deleted(pruned.removed), pruned.freed) == (300, 0)
        done = complete(course, "run")
        assert done.freed > before / 2
        assert path.stat().st_size < before / 2
        pages = writer.tidying.pages()
        assert pages.free <= pages.total / 10
        assert path.with_name("squad.db-wal").stat().st_size < 100_000

    def test_a_reader_holds_up_nobody(self, path: Path, writer: Writer, clock: MovedClock) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT COUNT(*) FROM tasks").fetchall()
            fill(path, [Old(OLD)])
            assert not writer.tidying.checkpoint(truncate=True)
            assert complete(Course(writer, clock), "run").removed.archived == 1

    def test_only_inside_and_only_outside_transactions(self, writer: Writer) -> None:
        limits = Terms().limits(NOW, writer.get)
        with pytest.raises(RuntimeError):
            writer.tidying.retire("messages", retention.START, limits, 1)
        with pytest.raises(RuntimeError):
            writer.tidying.give_back(1)
        with pytest.raises(RuntimeError), writer.transaction():
            writer.tidying.checkpoint()


def test_the_key_is_the_keeper_s(writer: Writer, clock: MovedClock) -> None:
    Course(writer, clock).take(Terms())
    assert writer.get(KEY) is not None
