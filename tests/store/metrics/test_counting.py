"""What the store counts while messages change, and what of it is undone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from squad.config.schema import StoreConfig
from squad.metrics import CATALOGUE
from squad.store import metrics
from squad.store.metrics.journal import Measured
from squad.store.metrics.summary import Summary
from squad.store.rows import DeadFilter, NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly
from tests.store.conformance.stores import done, ended, task, three_attempts
from tests.store.metrics.conftest import NOW

OF_MESSAGES = ("queued", "completed", "retried", "failed", "expired", "cancelled")


def write(writer: Writer, now: float = NOW) -> None:
    with writer.transaction():
        writer.metrics.write(now)


def counted(database: Database, since: float = NOW - 3600, until: float = NOW + 7200) -> dict[str, dict[str, int]]:
    """By name and agent, those that are not 0."""
    found = {name: metrics.window(database, name, since, until, by="agent") for name in OF_MESSAGES}
    return {name: {agent: s.count for agent, s in of.items()} for name, of in found.items() if of}


def submit(writer: Writer, *tasks: NewTask, now: float = NOW) -> None:
    with writer.transaction():
        writer.submit(tasks, now)


def settle(writer: Writer, *outcomes: Outcome, now: float = NOW + 1) -> None:
    with writer.transaction():
        singly.settle(writer, "a.1", "a", outcomes, now, three_attempts)


def claim(writer: Writer, now: float = NOW) -> list[Any]:
    with writer.transaction():
        return singly.claim(writer, "a", "a.1", 10, now)


def test_a_message_that_completes(writer: Writer, database: Database) -> None:
    submit(writer, task(type="scan"))
    (lease,) = claim(writer)
    settle(writer, done(lease, started=NOW + 0.25, duration_ms=12.5))
    write(writer, NOW + 2)
    assert counted(database) == {"queued": {"a": 1}, "completed": {"a": 1}}
    for name, value in (("handling_ms", 12.5), ("waiting_ms", 250)):
        (found,) = metrics.known(database, name)
        assert (found.agent, found.type, found.kind, found.count) == ("a", "scan", "histogram", 1)
        assert found.sum == pytest.approx(value)
        assert metrics.window(database, name, NOW, NOW + 60)[""].percentile(0.95) == pytest.approx(value)


def test_every_end_is_counted(writer: Writer, database: Database) -> None:
    submit(writer, *(task(type=kind) for kind in ("error", "refused", "returned", "cancelled", "done")))
    leases = {lease.type: lease for lease in claim(writer)}
    settle(writer, *(ended(lease, kind) for kind, lease in leases.items() if kind != "done"))
    settle(writer, done(leases["done"]))
    submit(writer, task(expires_at=NOW + 5), task(type="late", task_id="x"))
    with writer.transaction():
        writer.due(NOW + 6)
        writer.cancel("x", False, NOW + 7)
        writer.drop_oldest("a", 1, "full", NOW + 8)
    write(writer, NOW + 9)
    assert counted(database) == {
        "queued": {"a": 7},
        "retried": {"a": 1},
        "failed": {"a": 1},
        "cancelled": {"a": 2},
        "completed": {"a": 1},
        "expired": {"a": 2},
    }
    by_type = metrics.window(database, "cancelled", NOW, NOW + 60, by="type")
    assert {kind: s.count for kind, s in by_type.items()} == {"cancelled": 1, "late": 1}


def test_what_a_handler_sends_and_what_is_replayed_is_queued(writer: Writer, database: Database) -> None:
    submit(writer, task(), task(type="bad"))
    good, bad = claim(writer)
    settle(writer, done(good, sends=(task("b"), task("b"), task("c"))), ended(bad, "refused"))
    with writer.transaction():
        writer.replay(writer.dead(DeadFilter()), lambda _: None, NOW + 2)
    write(writer, NOW + 3)
    assert counted(database)["queued"] == {"a": 3, "b": 2, "c": 1}


def test_a_duplicate_is_counted_once(writer: Writer, database: Database) -> None:
    sent = task()
    submit(writer, sent)
    submit(writer, sent, task())
    write(writer)
    assert counted(database) == {"queued": {"a": 2}}


def test_what_is_undone_was_not_counted(writer: Writer, database: Database) -> None:
    submit(writer, task())
    with pytest.raises(KeyError), writer.transaction():
        writer.submit([task()], NOW)
        raise KeyError
    with writer.transaction():
        writer.submit([task()], NOW)
        with pytest.raises(KeyError), writer.savepoint():
            writer.submit([task()], NOW)
            raise KeyError
    write(writer)
    assert counted(database) == {"queued": {"a": 2}}


def test_what_could_not_be_written_is_written_next_time(writer: Writer, database: Database) -> None:
    submit(writer, task())
    with pytest.raises(KeyError), writer.transaction():
        writer.submit([task()], NOW)
        writer.metrics.write(NOW)
        raise KeyError
    assert writer.metrics.pending
    assert counted(database) == {}
    write(writer)
    assert counted(database) == {"queued": {"a": 1}}
    assert not writer.metrics.pending


def test_a_transaction_writes_what_it_counted_itself(writer: Writer, database: Database) -> None:
    with writer.transaction():
        writer.submit([task()], NOW)
        writer.metrics.write(NOW)
    assert counted(database) == {"queued": {"a": 1}}


def test_a_minute_is_one_point_however_often_it_is_written(writer: Writer, database: Database) -> None:
    for second in (0, 20, 59, 60):
        submit(writer, task(), now=NOW + second)
        write(writer, NOW + second)
    rows = database.execute_sql(
        "SELECT start, p.count FROM metric_points p JOIN metric_series s ON s.id = series WHERE name = 'queued'"
    ).fetchall()
    assert rows == [(NOW, 3), (NOW + 60, 1)]
    assert [s.count for s in metrics.known(database, "queued")] == [4]


def test_the_times_of_transactions(writer: Writer, database: Database) -> None:
    submit(writer, task())
    assert writer.metrics.pending
    write(writer)
    assert not writer.metrics.pending  # or each writing would lead to another
    transactions, commits = (metrics.known(database, name)[0] for name in ("transaction_ms", "commit_ms"))
    assert 1 <= transactions.count == commits.count
    assert 0 < commits.sum < transactions.sum


def test_the_depth_of_queues_is_a_gauge(writer: Writer, database: Database) -> None:
    submit(writer, task(), task())
    write(writer)
    leases = claim(writer)
    settle(writer, *map(done, leases))
    write(writer, NOW + 60)
    write(writer, NOW + 120)
    line = metrics.line(database, "queue_depth", NOW, NOW + 180, agent="a", points=3)
    assert [summary.last for _, summary in line] == [2, 0, None]  # 0 is said once


def test_a_queue_that_was_emptied_by_another_writer_is_empty(writer: Writer, database: Database, path: Path) -> None:
    submit(writer, task())
    write(writer)
    writer.close()  # as if it were killed before it could write that the queue is empty
    with closing(Writer(path, StoreConfig())) as later:
        settle(later, *map(done, claim(later)))
        write(later, NOW + 60)
    assert metrics.known(database, "queue_depth")[0].last == 0


def test_that_a_queue_was_emptied_is_written_when_the_first_attempt_failed(writer: Writer, database: Database) -> None:
    submit(writer, task())
    write(writer)
    settle(writer, *map(done, claim(writer)))
    with pytest.raises(KeyError), writer.transaction():
        writer.metrics.write(NOW + 60)
        raise KeyError
    write(writer, NOW + 60)
    assert metrics.known(database, "queue_depth")[0].last == 0


def test_what_was_handed_in_and_undone_is_handed_in_again_as_it_was(writer: Writer, database: Database) -> None:
    handed_in = [Measured("cpu_percent", "a", "", "gauge", Summary.gauged(value)) for value in (1.0, 2.0)]
    with pytest.raises(KeyError), writer.transaction():
        writer.metrics.add(handed_in)
        writer.metrics.write(NOW)
        raise KeyError
    with writer.transaction():
        writer.metrics.add(handed_in)
        writer.metrics.write(NOW)
    (found,) = metrics.known(database, "cpu_percent")
    assert (found.count, found.sum, found.last) == (2, 3.0, 2.0)


@pytest.mark.parametrize("how", ["delayed", "retried", "returned", "replayed"])
def test_waiting_begins_when_a_message_is_ready(writer: Writer, database: Database, how: str) -> None:
    submit(writer, task(not_before=NOW + 100 if how == "delayed" else None))
    if how != "delayed":
        (lease,) = claim(writer)
        settle(
            writer, ended(lease, {"retried": "error", "returned": "returned", "replayed": "refused"}[how]), now=NOW + 90
        )
    with writer.transaction():
        if how == "replayed":
            writer.replay(writer.dead(DeadFilter()), lambda _: None, NOW + 100)
        writer.due(NOW + 101)  # noticed late
    (lease,) = claim(writer, NOW + 102)
    settle(writer, done(lease, started=NOW + 103), now=NOW + 104)
    write(writer, NOW + 104)
    ready = NOW + (90 if how == "returned" else 100)
    assert metrics.known(database, "waiting_ms")[0].sum == pytest.approx((NOW + 103 - ready) * 1000)


def test_own_metrics_take_effect_with_the_completion(writer: Writer, database: Database) -> None:
    own = (
        ("tokens", "counter", 120.5),
        ("tokens", "counter", 4.0),
        ("score", "histogram", 3.0),
        ("open", "gauge", 7.0),
    )
    submit(writer, task(), task())
    good, bad = claim(writer)
    settle(writer, done(good, metrics=own), ended(bad, "error", metrics=own))
    write(writer)
    tokens, score, gauge = (metrics.known(database, name)[0] for name in ("tokens", "score", "open"))
    assert (tokens.agent, tokens.type, tokens.kind, tokens.count, tokens.sum) == ("a", "", "counter", 2, 124.5)
    assert (score.kind, score.count, score.sum) == ("histogram", 1, 3)
    assert (gauge.kind, gauge.last) == ("gauge", 7)


def test_an_agent_has_a_bounded_number_of_names(writer: Writer, database: Database) -> None:
    with writer.transaction():
        writer.metrics.add([Measured(f"own_{n}", "a", "", "counter", Summary.counted(1)) for n in range(150)])
        writer.metrics.add([Measured("own_0", "b", "", "counter", Summary.counted(1))])
        writer.metrics.write(NOW)
    found = metrics.known(database)
    assert sum(series.agent == "a" for series in found) == 100
    assert sum(series.agent == "b" for series in found) == 1


def test_nothing_is_counted_while_it_is_switched_off(writer: Writer, database: Database) -> None:
    writer.metrics.enabled = False
    submit(writer, task())
    (lease,) = claim(writer)
    settle(writer, done(lease, metrics=(("tokens", "counter", 1.0),)))
    assert not writer.metrics.pending
    write(writer)
    assert metrics.known(database) == []


def test_all_that_is_counted_is_in_the_catalogue(writer: Writer, database: Database) -> None:
    submit(writer, task(), task(type="bad"))
    good, bad = claim(writer)
    settle(writer, done(good), ended(bad, "error"))
    write(writer)
    for series in metrics.known(database):
        described = CATALOGUE[series.name]
        assert series.kind == described.kind
        assert (bool(series.agent), bool(series.type)) == ("agent" in described.labels, "type" in described.labels)
