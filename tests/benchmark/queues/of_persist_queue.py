"""persist-queue: SQLiteAckQueue, and SQLiteQueue, which forgets an item when it is taken.

Both are for the threads of one process; their author says so, and taking an item is a SELECT and an UPDATE in two
transactions, so that two processes would get the same one. So the workers here are threads beside the producer,
``multithreading=True``, and ``get`` is woken by ``put`` at once. Neither sets ``synchronous``: it is SQLite's own FULL.
There is no call for many items.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from persistqueue import Empty, SQLiteAckQueue, SQLiteQueue

from tests.benchmark.queues.contest import Queue, Setup, Task

_LOOK = 0.5  # seconds a thread waits for an item before it looks whether it should end


class _PersistQueue:
    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def send(self, task: Task) -> None:
        self._queue.put(task)

    def send_many(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._queue.put(task)

    def completed(self) -> int | None:
        return int(self._queue.acked_count()) if isinstance(self._queue, SQLiteAckQueue) else None

    def processes(self) -> list[int]:
        return []


@contextmanager
def acknowledged(setup: Setup) -> Iterator[Queue]:
    queue = SQLiteAckQueue(str(setup.folder), multithreading=True)
    with _threads(setup, queue, queue.ack):
        yield _PersistQueue(queue)


@contextmanager
def forgetful(setup: Setup) -> Iterator[Queue]:
    queue = SQLiteQueue(str(setup.folder), multithreading=True)
    with _threads(setup, queue, lambda task: None):
        yield _PersistQueue(queue)


@contextmanager
def _threads(setup: Setup, queue: Any, done: Callable[[Task], object]) -> Iterator[None]:
    end = threading.Event()

    def work() -> None:
        while not end.is_set():
            try:
                task = queue.get(timeout=_LOOK)
            except Empty:
                continue
            setup.journal.handled(task, threading.get_native_id())
            done(task)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(setup.workers)]
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join(10)
        queue.close()
