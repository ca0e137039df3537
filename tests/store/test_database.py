"""The pool of connections for reading."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import peewee
import pytest

from squad.config.schema import PoolConfig, StoreConfig
from squad.errors import BackpressureError, StoreError
from squad.store import queries
from squad.store.database import Pool, open_pool, open_reader
from squad.store.rows import NewTask
from squad.store.writer import Writer

Make = Callable[..., NewTask]


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.005)


def pool_of(path: Path, size: int, wait: float, waiting: int) -> Pool:
    return open_pool(path, StoreConfig(pool=PoolConfig(size=size, wait=wait, waiting=waiting)))


class Holder(threading.Thread):
    """Holds a connection until told to let go."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool
        self.holds = threading.Event()
        self.let_go = threading.Event()

    def run(self) -> None:
        with self._pool.connection():
            self.holds.set()
            self.let_go.wait(120)

    def __enter__(self) -> Holder:
        self.start()
        assert self.holds.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()
        self.join()


def test_before_any_squad_has_run(path: Path, config: StoreConfig) -> None:
    with pytest.raises(StoreError, match="no squad has run here yet") as caught:
        open_pool(path, config)
    assert "squad start" in caught.value.hint
    assert not path.exists()


def test_a_connection_cannot_write(writer: Writer, path: Path) -> None:
    with (
        open_reader(path) as pool,
        pytest.raises(StoreError, match="cannot be written"),
        pool.connection() as database,
    ):
        database.execute_sql("DELETE FROM tasks")


def test_a_mistake_in_sql_is_a_store_error(writer: Writer, path: Path) -> None:
    with open_reader(path) as pool:
        with pytest.raises(StoreError, match="no such table: nowhere"), pool.connection() as database:
            database.execute_sql("SELECT * FROM nowhere")
        with pool.connection() as database:
            assert queries.totals(database) == {}


def test_connections_are_used_again(writer: Writer, path: Path, config: StoreConfig) -> None:
    with open_pool(path, config) as pool:
        for _ in range(5):
            with pool.connection() as outer, pool.connection() as inner:
                assert outer is inner
                stats = pool.stats()
                assert (stats.in_use, stats.idle, stats.opened) == (1, 0, 1)
        stats = pool.stats()
        assert (stats.size, stats.in_use, stats.idle, stats.opened, stats.replaced) == (20, 0, 1, 1, 0)


def test_each_thread_has_its_own(writer: Writer, path: Path) -> None:
    with pool_of(path, size=2, wait=1, waiting=1) as pool:
        with Holder(pool), pool.connection():
            assert pool.stats().in_use == 2
        assert (pool.stats().in_use, pool.stats().idle) == (0, 2)


def test_a_wait_ends_when_a_connection_is_free(writer: Writer, path: Path) -> None:
    def count() -> int:
        with pool.connection() as database:
            return len(queries.messages(database, queries.Filter()))

    with pool_of(path, size=1, wait=30, waiting=1) as pool, ThreadPoolExecutor() as threads:
        with Holder(pool):
            future: Future[int] = threads.submit(count)
            until(lambda: pool.stats().waiting == 1)
            assert not future.done()
        assert future.result(60) == 0
        assert (pool.stats().waiting, pool.stats().timeouts, pool.stats().opened) == (0, 0, 1)


def test_a_wait_is_bounded(writer: Writer, path: Path) -> None:
    with pool_of(path, size=1, wait=0.05, waiting=1) as pool:
        with Holder(pool):
            with pytest.raises(BackpressureError, match=r"became free within 0\.05 s") as caught, pool.connection():
                pass
            assert "store.pool.size" in caught.value.hint
        assert pool.stats().timeouts == 1
        with pool.connection():
            pass


def test_those_who_wait_are_bounded(writer: Writer, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def take() -> None:
        with pool.connection():
            pass

    caplog.set_level(logging.WARNING)
    with pool_of(path, size=1, wait=30, waiting=5) as pool, ThreadPoolExecutor() as threads:
        with Holder(pool):
            taken = [threads.submit(take) for _ in range(3)]
            until(lambda: pool.stats().waiting == 3)
            assert caplog.messages == []
            taken += [threads.submit(take) for _ in range(2)]
            until(lambda: pool.stats().waiting == 5)
            assert caplog.messages == [f"4 of at most 5 threads wait for {path}"]
            with pytest.raises(BackpressureError, match="5 threads wait already"):
                take()
        for future in taken:
            future.result(60)
        assert (pool.stats().refused, pool.stats().timeouts) == (1, 0)


def test_a_crowd_is_warned_of_once_and_again_when_it_had_gone(
    writer: Writer, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def take(let_go: threading.Event) -> None:
        with pool.connection():
            let_go.wait(120)

    def come(threads: int) -> None:
        waiting = pool.stats().waiting
        for _ in range(threads):
            event = threading.Event()
            events.append((event, executor.submit(take, event)))
        until(lambda: pool.stats().waiting == waiting + threads)

    caplog.set_level(logging.WARNING)
    events: list[tuple[threading.Event, Future[None]]] = []
    with pool_of(path, size=1, wait=30, waiting=10) as pool, ThreadPoolExecutor(20) as executor:
        with Holder(pool):
            come(8)
            assert pool.stats().crowded == 1
            come(2)
            assert pool.stats().crowded == 1  # the same crowd
        for event, _ in events:
            event.set()
        for _, held in events:
            held.result(60)
        events.clear()
        with Holder(pool):
            come(7)
            assert pool.stats().crowded == 1
            come(1)
            assert pool.stats().crowded == 2
            for event, _ in events:
                event.set()
        assert caplog.messages == [f"8 of at most 10 threads wait for {path}"] * 2


def test_a_broken_connection_is_replaced(writer: Writer, path: Path) -> None:
    with open_reader(path) as pool:
        with pool.connection() as database:
            broken: sqlite3.Connection = database.connection()
        broken.close()
        with pool.connection() as database:
            assert queries.totals(database) == {}
        assert (pool.stats().opened, pool.stats().replaced) == (2, 1)


def test_a_connection_to_a_file_that_was_replaced_is_replaced(path: Path, config: StoreConfig, task: Make) -> None:
    with closing(Writer(path, config)) as writer, writer.transaction():
        writer.submit([task()], 1.0)
    with open_reader(path) as pool:
        with pool.connection() as database:
            assert len(queries.messages(database, queries.Filter())) == 1
        for file in path.parent.glob("squad.db*"):
            file.unlink()
        Writer(path, config).close()
        with pool.connection() as database:
            assert queries.messages(database, queries.Filter()) == []
        assert pool.stats().replaced == 1


def test_a_database_that_was_deleted(path: Path, config: StoreConfig) -> None:
    Writer(path, config).close()
    with open_reader(path) as pool:
        for file in path.parent.glob("squad.db*"):
            file.unlink()
        with pytest.raises(StoreError, match="cannot be opened"), pool.connection():
            pass


def test_damage_found_while_reading(path: Path, config: StoreConfig, task: Make) -> None:
    with closing(Writer(path, config)) as writer, writer.transaction():
        writer.submit([task(payload="x" * 500) for _ in range(2000)], 1.0)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2))
    with open_reader(path) as pool:
        with pytest.raises(StoreError, match="is damaged"), pool.connection() as database:
            queries.messages(database, queries.Filter(), limit=4000)
        with pytest.raises(StoreError, match="is damaged"), pool.connection() as database:
            database.execute_sql("SELECT LENGTH(payload) FROM tasks").fetchall()


def test_other_exceptions_pass_through(writer: Writer, path: Path) -> None:
    with open_reader(path) as pool:
        for kind in (KeyError, peewee.ImproperlyConfigured):
            with pytest.raises(kind), pool.connection():
                raise kind
        assert (pool.stats().in_use, pool.stats().idle) == (0, 1)


def test_a_path_with_characters_that_mean_something_in_an_address(tmp_path: Path, config: StoreConfig) -> None:
    home = tmp_path / "100% ?mode=rw&x#y"
    home.mkdir()
    Writer(home / "squad.db", config).close()
    with open_reader(home / "squad.db") as pool, pool.connection() as database:
        assert queries.totals(database) == {}


def test_readers_see_whole_transactions_while_it_is_written(writer: Writer, path: Path, task: Make) -> None:
    begun = threading.Barrier(3)
    stop = threading.Event()

    def stored(pool: Pool) -> int:
        with pool.connection() as database:
            return sum(queries.totals(database).values())

    def watch() -> list[int]:
        with open_reader(path) as pool:
            seen = [stored(pool)]
            begun.wait(30)
            while not stop.is_set():
                seen.append(stored(pool))
            return [*seen, stored(pool)]

    with ThreadPoolExecutor() as threads:
        readers = [threads.submit(watch) for _ in range(2)]
        try:
            begun.wait(30)
            for _ in range(200):
                with writer.transaction():
                    writer.submit([task() for _ in range(5)], 1.0)
                    writer.submit([task("b") for _ in range(5)], 1.0)
        finally:
            stop.set()
        for reader in readers:
            seen = reader.result(60)
            assert (seen[0], seen[-1]) == (0, 2000)
            assert seen == sorted(seen)
            assert all(count % 10 == 0 for count in seen)


def test_the_configured_bounds_are_those_that_are_kept(writer: Writer, path: Path, config: StoreConfig) -> None:
    """20 connections, 100 who wait, and no more."""

    def take() -> None:
        with pool.connection() as database:
            queries.totals(database)

    with open_pool(path, config) as pool, ThreadPoolExecutor(100) as threads:
        with contextlib.ExitStack() as held:
            for _ in range(20):
                held.enter_context(Holder(pool))
            waiting = [threads.submit(take) for _ in range(100)]
            until(lambda: pool.stats().waiting == 100)
            with pytest.raises(BackpressureError, match=r"all 20 connections .* 100 threads wait already"):
                take()
            stats = pool.stats()
            assert (stats.size, stats.most_waiting, stats.in_use, stats.idle) == (20, 100, 20, 0)
            assert (stats.crowded, stats.refused, stats.timeouts) == (1, 1, 0)
        for future in waiting:
            future.result(60)
        stats = pool.stats()
        assert (stats.in_use, stats.idle, stats.waiting, stats.opened) == (0, 20, 0, 20)


def test_under_stress_nothing_is_lost_of_the_pool(writer: Writer, path: Path, task: Make) -> None:
    """Many threads read while connections break under them and somebody writes."""
    most: list[int] = []
    crowded = threading.Event()

    def read(thread: int) -> tuple[int, int]:
        refused = spoilt = 0
        for turn in range(40):
            if turn == 1:
                crowded.wait(60)
            try:
                with pool.connection() as database, pool.connection() as same:
                    assert same is database
                    most.append(pool.stats().in_use)
                    queries.messages(database, queries.Filter(), limit=3)
                    if (thread + turn) % 10 == 0:
                        database.connection().close()  # as it is after a failure of the disk
                        spoilt += 1
                        queries.messages(database, queries.Filter(), limit=3)
            except BackpressureError:
                refused += 1
            except StoreError as error:
                assert "closed database" in str(error)
        return refused, spoilt

    with pool_of(path, size=4, wait=120, waiting=8) as pool, ThreadPoolExecutor(24) as threads:
        with contextlib.ExitStack() as held:  # in the first turn there are more than there is room for, for certain
            for _ in range(3):
                held.enter_context(Holder(pool))
            with Holder(pool):
                readers = [threads.submit(read, thread) for thread in range(24)]
                until(lambda: (pool.stats().waiting, pool.stats().refused) == (8, 16))
            until(lambda: bool(most))
        crowded.set()
        while not all(reader.done() for reader in readers):
            with writer.transaction():
                writer.submit([task()], 1.0)
        refused = sum(reader.result(30)[0] for reader in readers)
        spoilt = sum(reader.result(30)[1] for reader in readers)
        with contextlib.ExitStack() as held:  # every slot is still there, and every connection in it works
            for _ in range(4):
                held.enter_context(Holder(pool))
            assert pool.stats().in_use == 4
        stats = pool.stats()
        assert max(most) == 4
        assert (stats.in_use, stats.idle, stats.waiting, stats.timeouts) == (0, 4, 0, 0)
        assert stats.refused == refused > 0
        assert stats.replaced == spoilt > 0
        assert stats.opened - stats.replaced == 4
