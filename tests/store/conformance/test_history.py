"""What is kept beside the messages, and the reading side, on every store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from squad.errors import StoreError
from squad.store import history, queries
from squad.store.history import Wanted
from squad.store.queries import Filter
from tests.store.conformance.stores import NOW, Store, done, ended, task


def test_events_and_resizes_are_appended_in_order(store: Store) -> None:
    with store.backend.transaction():
        store.backend.record_events([("restarted", "a", '{"reason":"x"}'), ("ready", "a", "{}")], NOW)
        store.backend.record_resizes([("crew", 1, 3, "work waits", '{"cpu":1}')], NOW)
    with store.pool.connection() as database:
        with database.atomic():
            events = history.last(database, 10, Wanted(kinds=frozenset({"restarted", "ready"})))
        assert [(e.kind, e.subject, e.detail, e.at) for e in events] == [
            ("restarted", "a", {"reason": "x"}, "2027-01-15T08:00:00.000Z"),
            ("ready", "a", {}, "2027-01-15T08:00:00.000Z"),
        ]
        (resize,) = queries.resizes(database, "crew")
        assert (resize.from_size, resize.to_size, resize.reason) == (1, 3, "work waits")


def test_what_is_kept_by_key_is_replaced(store: Store) -> None:
    with store.backend.transaction():
        store.backend.put([("k", "1"), ("l", "2")], NOW)
    with store.backend.transaction():
        store.backend.put([("k", "3")], NOW + 1)
    store.again()
    assert (store.backend.get("k"), store.backend.get("l"), store.backend.get("m")) == ("3", "2", None)
    with store.pool.connection() as database:
        assert queries.keeper(database)["k"] == queries.Kept("3", "2027-01-15T08:00:01.000Z")


def test_messages_are_listed_and_counted(store: Store) -> None:
    tasks = [task(priority=1), task(sender="you"), task("b", type="u")]
    ids = store.submit(*tasks)
    (lease,) = store.claim(limit=1)
    with store.pool.connection() as database:
        assert [row.task_id for row in queries.messages(database, Filter())] == ids[::-1]
        assert [row.task_id for row in queries.messages(database, Filter(sender="you"))] == [ids[1]]
        assert [row.task_id for row in queries.messages(database, Filter(agent="b", type="u"))] == [ids[2]]
        assert queries.open_counts(database) == {"a": (1, 1), "b": (1, 0)}
        assert {depth.agent: depth.queued for depth in queries.queue_depth(database)} == {"a": 1, "b": 1}
        assert queries.totals(database) == {"queued": 2, "running": 1}
    store.settle(ended(lease, "refused", error="Disk full"))
    with store.pool.connection() as database:
        assert [row.task_id for row in queries.messages(database, Filter(error="disk"))] == [ids[0]]


def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError), store.pool.connection() as database:
        database.execute_sql("DELETE FROM tasks")


def test_readers_see_whole_transactions_as_soon_as_they_are_durable(store: Store) -> None:
    stop, begun = threading.Event(), threading.Barrier(3)

    def watch() -> list[int]:
        seen = []
        begun.wait(30)
        while not stop.is_set():
            with store.pool.connection() as database:
                seen.append(sum(queries.totals(database).values()))
        return seen

    with ThreadPoolExecutor() as threads:
        readers = [threads.submit(watch) for _ in range(2)]
        try:
            begun.wait(30)
            for number in range(1, 51):
                store.submit(task(), task("b"))
                with store.pool.connection() as database:
                    assert len(queries.messages(database, Filter(), limit=1000)) == 2 * number
        finally:
            stop.set()
        for reader in readers:
            seen = reader.result(60)
            assert seen == sorted(seen)
            assert all(count % 2 == 0 for count in seen)


def test_statistics_of_the_reading_side(store: Store) -> None:
    with store.pool.connection(), store.pool.connection():
        stats = store.pool.stats()
        assert (stats.size, stats.most_waiting, stats.in_use, stats.waiting) == (20, 100, 1, 0)
    assert store.pool.stats().in_use == 0


def test_a_finished_tree_is_summed_up(store: Store) -> None:
    (root,) = store.submit(task())
    (lease,) = store.claim()
    store.settle(done(lease, sends=(task("b"), task("b"))))
    with store.pool.connection() as database:
        assert queries.message(database, root).children_total == 2
        assert queries.tree(database, root).total == 3
