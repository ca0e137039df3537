"""What was measured over a time: which points it is, and what they add up to."""

from __future__ import annotations

from itertools import pairwise

import pytest
from peewee import Database

from squad.store import metrics
from squad.store.metrics import Summary
from tests.store.metrics.conftest import HOUR, MINUTE, NOW, Fill


def test_a_window_adds_up_the_points_that_it_overlaps(database: Database, fill: Fill) -> None:
    fill(
        "completed",
        "counter",
        {
            (60, NOW - 120): Summary.counted(1),
            (60, NOW - 60): Summary.counted(10),
            (60, NOW): Summary.counted(100),
            (60, NOW + 60): Summary.counted(1000),
        },
    )
    found = metrics.window(database, "completed", NOW - 30, NOW + 30)
    assert found[""].count == 110
    assert found[""].seconds == 90  # from the beginning of the first
    assert metrics.window(database, "completed", NOW - 60, NOW)[""].count == 10
    assert metrics.window(database, "completed", NOW + 200, NOW + 300) == {}
    assert metrics.window(database, "failed", NOW - 60, NOW) == {}


def test_points_of_all_lengths_are_taken(database: Database, fill: Fill) -> None:
    fill(
        "handling_ms",
        "histogram",
        {
            (3600, NOW - 48 * HOUR): Summary.observed([1.0] * 50),
            (600, NOW - 5 * HOUR): Summary.observed([10.0] * 30),
            (60, NOW): Summary.observed([100.0] * 20),
        },
    )
    found = metrics.window(database, "handling_ms", NOW - 72 * HOUR, NOW + 60)[""]
    assert found.count == 100
    assert found.percentile(0.5) == pytest.approx(1, rel=0.05)
    assert found.percentile(0.8) == pytest.approx(10, rel=0.05)
    assert found.percentile(0.95) == pytest.approx(100, rel=0.05)
    assert (found.least, found.most, found.mean) == (1, 100, pytest.approx(23.5))


def test_by_agent_and_by_type(database: Database, fill: Fill) -> None:
    at = (60, NOW)
    fill("completed", "counter", {at: Summary.counted(1)}, agent="a", type="x")
    fill("completed", "counter", {at: Summary.counted(2)}, agent="a", type="y")
    fill("completed", "counter", {at: Summary.counted(4)}, agent="b", type="x")
    count = {
        by: {key: s.count for key, s in metrics.window(database, "completed", NOW, NOW + 60, by=by).items()}
        for by in (None, "agent", "type")
    }
    assert count == {None: {"": 7}, "agent": {"a": 3, "b": 4}, "type": {"x": 5, "y": 2}}
    assert metrics.window(database, "completed", NOW, NOW + 60, agent="a", type="x")[""].count == 1
    assert metrics.window(database, "completed", NOW, NOW + 60, agent="c") == {}


@pytest.mark.parametrize("agents", [3, 40])
def test_many_series_are_read_in_another_way_and_are_the_same(database: Database, fill: Fill, agents: int) -> None:
    for n in range(agents):
        fill("completed", "counter", {(60, NOW - 60 * k): Summary.counted(n + k) for k in range(5)}, agent=f"a{n}")
    found = metrics.window(database, "completed", NOW - 240, NOW + 60, by="agent")
    assert {agent: summary.count for agent, summary in found.items()} == {f"a{n}": 5 * n + 10 for n in range(agents)}


def test_a_line_has_equal_steps_and_says_where_nothing_was(database: Database, fill: Fill) -> None:
    fill("queue_depth", "gauge", {(60, NOW): Summary.gauged(3), (60, NOW + 120): Summary.gauged(5)})
    line = metrics.line(database, "queue_depth", NOW, NOW + 240, points=4)
    assert [(at, summary.last) for at, summary in line] == [
        (NOW, 3),
        (NOW + 60, None),
        (NOW + 120, 5),
        (NOW + 180, None),
    ]
    assert [summary.seconds for _, summary in line] == [60] * 4
    half = metrics.line(database, "queue_depth", NOW, NOW + 240, points=2)
    assert [(at, summary.last) for at, summary in half] == [(NOW, 3), (NOW + 120, 5)]
    assert [s.seconds for _, s in metrics.line(database, "queue_depth", NOW, NOW + 90, points=9)] == [60, 30]


def test_a_line_is_as_fine_as_the_store_is(database: Database, fill: Fill) -> None:
    fill(
        "completed",
        "counter",
        {
            (600, NOW - 5 * HOUR): Summary.counted(6),
            **{(60, NOW - 60 * k): Summary.counted(1) for k in range(1, 61)},
        },
    )
    coarse = metrics.line(database, "completed", NOW - 5 * HOUR, NOW, points=1000)
    assert [second - first for (first, _), (second, _) in pairwise(coarse)] == [600] * 29
    assert [summary.count for _, summary in coarse] == [6, *[0] * 23, *[10] * 6]
    fine = metrics.line(database, "completed", NOW - HOUR, NOW, points=1000)
    assert len(fine) == 60
    assert {summary.count for _, summary in fine} == {1}


def test_a_line_of_nothing(database: Database) -> None:
    line = metrics.line(database, "completed", NOW, NOW + HOUR, points=6)
    assert [(at, summary.count) for at, summary in line] == [(NOW + 600 * n, 0) for n in range(6)]


def test_what_is_known(database: Database, fill: Fill) -> None:
    fill("completed", "counter", {}, agent="b", type="x")
    fill("completed", "counter", {}, agent="a", type="x")
    fill("queue_depth", "gauge", {}, agent="a")
    assert [(s.name, s.agent, s.type, s.kind) for s in metrics.known(database)] == [
        ("completed", "a", "x", "counter"),
        ("completed", "b", "x", "counter"),
        ("queue_depth", "a", "", "gauge"),
    ]
    assert [s.agent for s in metrics.known(database, "completed")] == ["a", "b"]
    assert [s.name for s in metrics.known(database, agent="a")] == ["completed", "queue_depth"]


def test_people_ask_a_view(database: Database, fill: Fill) -> None:
    minute = (MINUTE, NOW)
    fill("completed", "counter", {minute: Summary.counted(7)}, agent="a", type="x")
    fill("queue_depth", "gauge", {minute: Summary.gauged(3)}, agent="a")
    fill("handling_ms", "histogram", {minute: Summary.observed([1, 3])}, agent="a", type="x")
    fill("machine_cpu_percent", "gauge", {minute: Summary.gauged(50)}, agent="")
    rows = database.execute_sql(
        "SELECT agent, metric_name, metric_value, timestamp, type, seconds, count, least, most"
        " FROM agent_metrics ORDER BY agent, metric_name"
    ).fetchall()
    at = "2027-01-15T08:00:00.000Z"
    assert rows == [
        (None, "machine_cpu_percent", 50, at, None, 60, 1, 50, 50),
        ("a", "completed", 7, at, "x", 60, 7, None, None),
        ("a", "handling_ms", 2, at, "x", 60, 2, 1, 3),
        ("a", "queue_depth", 3, at, None, 60, 1, 3, 3),
    ]
