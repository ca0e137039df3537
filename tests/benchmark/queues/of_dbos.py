"""DBOS Transact on SQLite: worker processes that serve one of its queues, and its client that enqueues from outside.

The file is opened as DBOS opens it: SQLite's rollback journal, ``synchronous = FULL``. The queue has no limits, which
is its default and its quickest: with ``worker_concurrency=1`` it ran about half as many tasks. Many tasks are enqueued
in one transaction by its ``enqueue_in_transaction``.
"""

from __future__ import annotations

import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy
from dbos import DBOS, DBOSClient

from tests.benchmark.queues import processes
from tests.benchmark.queues.contest import Journal, Queue, Setup, Task, batches
from tests.running import eventually

_FILE = "dbos.sqlite"
_QUEUE = "tasks"
_PATIENCE = 30  # seconds to wait for a lock, as DBOS itself does
_START = 60.0  # seconds


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / _FILE}"


class _Dbos:
    _options = {"workflow_name": "handle", "queue_name": _QUEUE}  # noqa: RUF012 - a TypedDict of theirs, never changed

    def __init__(self, client: DBOSClient, engine: sqlalchemy.Engine, folder: Path, workers: Sequence[int]) -> None:
        self._client = client
        self._engine = engine
        self._file = folder / _FILE
        self._workers = workers

    def send(self, task: Task) -> None:
        self._client.enqueue(self._options, task)

    def send_many(self, tasks: Sequence[Task]) -> None:
        for batch in batches(tasks):
            with self._engine.begin() as connection:
                for task in batch:
                    self._client.enqueue_in_transaction(connection, self._options, task)

    def completed(self) -> int:
        with closing(sqlite3.connect(self._file, timeout=_PATIENCE)) as db:
            return int(db.execute("SELECT count(*) FROM workflow_status WHERE status = 'SUCCESS'").fetchone()[0])

    def processes(self) -> list[int]:
        return list(self._workers)


@contextmanager
def running(setup: Setup) -> Iterator[Queue]:
    arguments = ["-m", __name__, str(setup.folder), str(setup.journal.path), str(setup.poll)]
    first, *others = [[*arguments, str(number)] for number in range(setup.workers)]
    with processes.running([first], setup.folder) as one:
        # The first creates the database.
        eventually((setup.folder / "ready-0").exists, "the first worker is ready", _START)
        with processes.running(others, setup.folder) as more:
            for number in range(1, setup.workers):
                eventually((setup.folder / f"ready-{number}").exists, "all workers are ready", _START)
            engine = sqlalchemy.create_engine(_url(setup.folder), connect_args={"timeout": _PATIENCE})
            client = DBOSClient(system_database_url=_url(setup.folder))
            try:
                yield _Dbos(client, engine, setup.folder, [*one, *more])
            finally:
                client.destroy()
                engine.dispose()


def work(folder: Path, journal: Journal, poll: float, number: str) -> None:
    """A worker process: until it is ended."""
    DBOS(
        config={
            "name": "peers",
            "system_database_url": _url(folder),
            "executor_id": f"worker-{number}",
            "log_level": "WARNING",
        }
    )

    @DBOS.workflow(name="handle")
    def handle(task: Task) -> None:
        journal.handled(task)

    DBOS.launch()
    DBOS.register_queue(_QUEUE, polling_interval_sec=poll, on_conflict="never_update")
    (folder / f"ready-{number}").touch()
    signal.pause()


if __name__ == "__main__":
    work(Path(sys.argv[1]), Journal(Path(sys.argv[2])), float(sys.argv[3]), sys.argv[4])
