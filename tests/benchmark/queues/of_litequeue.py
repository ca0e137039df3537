"""litequeue: a table and the calls put, pop and done; the loop around them, and waiting for work, are the user's.

It sets ``synchronous = NORMAL`` when it opens the file. For FULL we set it anew on its connection, which it offers as
``conn``. It has no call for many messages; its own ``transaction()`` around many calls of put is what comes next to it.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from litequeue import LiteQueue, MessageStatus

from tests.benchmark.queues import processes
from tests.benchmark.queues.contest import Journal, Queue, Setup, Task, batches

_FILE = "queue.sqlite3"
_PATIENCE = 30  # seconds to wait for a lock; Python's own five are short on a busy machine


def _open(folder: Path, synchronous: str) -> LiteQueue:
    queue = LiteQueue(str(folder / _FILE), timeout=_PATIENCE)
    queue.conn.execute(f"PRAGMA synchronous = {synchronous}")
    return queue


class _Litequeue:
    def __init__(self, queue: LiteQueue, file: Path, workers: Sequence[int]) -> None:
        self._queue = queue
        self._file = file
        self._workers = workers

    def send(self, task: Task) -> None:
        self._queue.put(json.dumps(task, separators=(",", ":")))

    def send_many(self, tasks: Sequence[Task]) -> None:
        for batch in batches(tasks):
            with self._queue.transaction(mode="IMMEDIATE"):
                for task in batch:
                    self.send(task)

    def completed(self) -> int:
        with closing(sqlite3.connect(self._file, timeout=_PATIENCE)) as db:
            return int(db.execute("SELECT count(*) FROM Queue WHERE status = ?", (MessageStatus.DONE,)).fetchone()[0])

    def processes(self) -> list[int]:
        return list(self._workers)


@contextmanager
def running(setup: Setup) -> Iterator[Queue]:
    command = ["-m", __name__, str(setup.folder), str(setup.journal.path), setup.synchronous, str(setup.poll)]
    with (
        closing(_open(setup.folder, setup.synchronous)) as queue,
        processes.running([command] * setup.workers, setup.folder) as workers,
    ):
        yield _Litequeue(queue, setup.folder / _FILE, workers)


def work(folder: Path, journal: Journal, synchronous: str, poll: float) -> None:
    """A worker process: until it is ended."""
    queue = _open(folder, synchronous)
    while True:
        message = queue.pop()
        if message is None:
            time.sleep(poll)
            continue
        journal.handled(json.loads(message.data))
        queue.done(message.message_id)


if __name__ == "__main__":
    work(Path(sys.argv[1]), Journal(Path(sys.argv[2])), sys.argv[3], float(sys.argv[4]))
