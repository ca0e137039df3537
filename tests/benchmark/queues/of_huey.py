"""huey with SqliteHuey and its own consumer: ``huey_consumer … --worker-type process --workers 4``.

``fsync=True`` is its name for ``synchronous = FULL``; there is none for NORMAL. It has no way to enqueue many at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huey import SqliteHuey

from tests.benchmark.queues import processes
from tests.benchmark.queues.contest import Journal, Queue, Setup, Task

_FILE, _JOURNAL = "HUEY_FILE", "HUEY_JOURNAL"  # the consumer's environment


def _application(file: str, journal: Journal | None) -> tuple[SqliteHuey, Any]:
    """The instance of a file and its task, as a user's module has them at its top."""
    instance = SqliteHuey(filename=file, fsync=True)

    @instance.task(name="handle")
    def handle(task: Task) -> None:
        assert journal is not None, "only the consumer handles tasks"
        journal.handled(task)

    return instance, handle


class _Huey:
    def __init__(self, handle: Any, consumer: Sequence[int]) -> None:
        self._handle = handle
        self._consumer = consumer

    def send(self, task: Task) -> None:
        self._handle(task)

    def send_many(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._handle(task)

    def completed(self) -> None:
        return None  # a task is deleted when a worker takes it, before it runs

    def processes(self) -> list[int]:
        return processes.with_children(self._consumer)


@contextmanager
def running(setup: Setup) -> Iterator[Queue]:
    file = str(setup.folder / "huey.db")
    instance, handle = _application(file, None)
    poll = str(setup.poll)
    consumer = ["-m", "huey.bin.huey_consumer", f"{__name__}.huey", "--worker-type", "process"]
    consumer += ["--workers", str(setup.workers), "--delay", poll, "--max-delay", poll, "--no-periodic", "--quiet"]
    environment = {_FILE: file, _JOURNAL: str(setup.journal.path)}
    with processes.running([consumer], setup.folder, environment) as pids:
        try:
            yield _Huey(handle, pids)
        finally:
            instance.storage.close()


if _FILE in os.environ:  # in the consumer, which imports this module by name
    huey, handle = _application(os.environ[_FILE], Journal(Path(os.environ[_JOURNAL])))
