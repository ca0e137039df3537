"""Old points become fewer, and go at last; nothing of what they say is lost before."""

from __future__ import annotations

from peewee import Database

from squad.store import metrics
from squad.store.metrics import Summary
from squad.store.metrics.journal import Measured
from squad.store.writer import Writer
from tests.store.metrics.conftest import HOUR, NOW, Fill

DAY = 24 * HOUR
KEEP = 30 * DAY


def fold(writer: Writer, now: float, keep: float = KEEP) -> int:
    """All there is to do; in how many slices."""
    for slices in range(10_000):
        with writer.transaction():
            if not writer.metrics.fold(now, keep):
                return slices
    raise AssertionError("it never ends")


def steps(database: Database) -> dict[int, int]:
    return dict(database.execute_sql("SELECT step, COUNT(*) FROM metric_points GROUP BY step").fetchall())


def test_minutes_become_tens_of_minutes_and_these_hours(writer: Writer, database: Database, fill: Fill) -> None:
    day = {(60, NOW + 60 * n): Summary.observed([float(n % 7 + 1)] * 2) for n in range(24 * 60)}
    fill("handling_ms", "histogram", day)
    before = metrics.window(database, "handling_ms", NOW, NOW + DAY)[""]
    fold(writer, NOW + DAY)
    assert steps(database) == {60: 180, 600: 21 * 6}
    assert metrics.window(database, "handling_ms", NOW, NOW + DAY)[""] == before
    fold(writer, NOW + 2 * DAY)
    assert steps(database) == {600: 12 * 6, 3600: 12}
    after = metrics.window(database, "handling_ms", NOW, NOW + DAY)[""]
    assert after == before
    assert after.percentile(0.5) == before.percentile(0.5)


def test_the_last_value_of_a_gauge_stays_the_last(writer: Writer, database: Database, fill: Fill) -> None:
    fill("queue_depth", "gauge", {(60, NOW + 60 * n): Summary.gauged(float(10 - n)) for n in range(10)})
    fold(writer, NOW + 10 * HOUR)
    (found,) = metrics.window(database, "queue_depth", NOW, NOW + HOUR).values()
    assert (found.last, found.least, found.most, found.count) == (1, 1, 10, 10)


def test_a_slice_is_small_however_many_series_there_are(writer: Writer, database: Database, fill: Fill) -> None:
    for n in range(200):
        fill("completed", "counter", {(60, NOW + 60 * k): Summary.counted(1) for k in range(10)}, agent=f"a{n}")
    with writer.transaction():
        assert writer.metrics.fold(NOW + 5 * HOUR, KEEP)
    assert steps(database) == {60: 1520, 600: 48}
    assert metrics.window(database, "completed", NOW, NOW + HOUR)[""].count == 2000
    assert fold(writer, NOW + 5 * HOUR) == 4
    assert steps(database) == {600: 200}


def test_what_comes_late_is_added(writer: Writer, database: Database, fill: Fill) -> None:
    """The clock was set back: the minute lies in ten minutes that were folded before."""
    fill("completed", "counter", {(600, NOW): Summary.counted(5), (60, NOW + 120): Summary.counted(2)})
    fold(writer, NOW + 5 * HOUR)
    assert steps(database) == {600: 1}
    assert metrics.window(database, "completed", NOW, NOW + 60)[""].count == 7


def test_what_is_too_old_goes(writer: Writer, database: Database, fill: Fill) -> None:
    fill("completed", "counter", {(3600, NOW + HOUR * n): Summary.counted(1) for n in range(1200)})
    now = NOW + 1200 * HOUR
    assert fold(writer, now, 20 * DAY) == 2
    assert steps(database) == {3600: 480}


def test_a_series_of_which_nothing_is_left_goes_and_may_come_back(writer: Writer, database: Database) -> None:
    def count(now: float) -> None:
        with writer.transaction():
            writer.metrics.add([Measured("completed", "gone", "t", "counter", Summary.counted(1))])
            writer.metrics.write(now)

    count(NOW)
    fold(writer, NOW + KEEP + 2 * HOUR)
    assert metrics.known(database, "completed") == []
    assert steps(database) == {}
    count(NOW + KEEP + 3 * HOUR)
    assert [series.count for series in metrics.known(database, "completed")] == [1]


def test_what_a_series_is_in_all_outlives_its_points(writer: Writer, database: Database) -> None:
    for day in range(3):
        with writer.transaction():
            writer.metrics.add([Measured("handling_ms", "a", "t", "histogram", Summary.observed([1.0, 8.0]))])
            writer.metrics.write(NOW + day * DAY)
        fold(writer, NOW + day * DAY, keep=1.5 * DAY)
    (series,) = metrics.known(database, "handling_ms")
    assert (series.count, series.sum) == (6, 27)
    assert series.buckets is not None
    assert series.buckets.count == 6
    assert metrics.window(database, "handling_ms", NOW - DAY, NOW + 3 * DAY)[""].count == 4
