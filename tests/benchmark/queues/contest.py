"""What every queue of the comparison has in common: the task, the journal of who handled it, and the interface.

A task is a mapping whose compact JSON is 200 bytes. Its handler does nothing but append one record to a file: that
costs every queue the same, and tells afterwards which tasks were handled, how often, by whom, and when.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Task = dict[str, Any]

PAYLOAD = 200  # bytes of a task as JSON
BATCH = 500  # tasks in one transaction, where a queue can do that
_RECORD = struct.Struct("<qqd")


class Handled(NamedTuple):
    """One call of a handler: the task's number, the process or thread it ran in, and when, on the monotonic clock."""

    number: int
    worker: int
    at: float


class Journal:
    """The file of all calls of handlers. Many processes may append to it at once: a record is one small write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def handled(self, task: Task, worker: int | None = None) -> None:
        """The whole handler of a task; ``worker`` is this process unless given."""
        os.write(self._file, _RECORD.pack(task["number"], worker or os.getpid(), time.monotonic()))

    def __len__(self) -> int:
        return os.fstat(self._file).st_size // _RECORD.size

    def read(self) -> list[Handled]:
        return [Handled(*each) for each in _RECORD.iter_unpack(self.path.read_bytes())]

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True)
class Setup:
    """How a queue is to be set up. ``folder`` is its own and new; ``poll``: seconds, for workers that have to poll."""

    folder: Path
    journal: Journal
    synchronous: str  # FULL or NORMAL
    workers: int
    poll: float


class Queue(Protocol):
    """A queue whose workers run."""

    def send(self, task: Task) -> None:
        """Enqueue one task; it is stored when this returns."""

    def send_many(self, tasks: Sequence[Task]) -> None:
        """Enqueue all of them in the quickest way that the queue has."""

    def completed(self) -> int | None:
        """How many tasks the queue has recorded as done; None if it keeps no record of that."""

    def processes(self) -> list[int]:
        """Ids of its processes, this one excluded."""


def task(number: int) -> Task:
    empty = json.dumps({"number": number, "data": ""}, separators=(",", ":"))
    return {"number": number, "data": "x" * (PAYLOAD - len(empty))}


def batches(tasks: Sequence[Task]) -> list[Sequence[Task]]:
    return [tasks[start : start + BATCH] for start in range(0, len(tasks), BATCH)]
