"""The stores that must all behave alike. Another backend adds its entry to STORES, and passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.backend import Backend, Reading
from squad.store.database import open_pool
from squad.store.queries import Detail, message
from squad.store.rows import Lease, NewTask, Outcome
from squad.store.settlement import Settlement
from squad.store.writer import Writer
from tests.store import singly

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


class Opener(Protocol):
    """How the suite opens a store that lives in ``folder``. The same folder is the same store, later too."""

    def write(self, folder: Path) -> Backend: ...

    def read(self, folder: Path) -> Reading: ...


class Sqlite:
    def write(self, folder: Path) -> Backend:
        return Writer(folder / "squad.db", StoreConfig())

    def read(self, folder: Path) -> Reading:
        return open_pool(folder / "squad.db", StoreConfig())


STORES: dict[str, Opener] = {"sqlite": Sqlite()}


class Store:
    """A store under test, and what the tests say to it most."""

    def __init__(self, opener: Opener, folder: Path) -> None:
        self._opener, self._folder = opener, folder
        self.backend = opener.write(folder)
        self.pool = opener.read(folder)

    def close(self) -> None:
        self.pool.close()
        self.backend.close()

    def again(self) -> None:
        """As after a restart of the storage."""
        self.close()
        self.backend = self._opener.write(self._folder)
        self.pool = self._opener.read(self._folder)

    def submit(self, *tasks: NewTask, now: float = NOW) -> list[str]:
        with self.backend.transaction():
            return [stored.task_id for stored in self.backend.submit(tasks, now)]

    def claim(self, recipient: str = "a", limit: int = 10, *, worker: str = "a.1", now: float = NOW) -> list[Lease]:
        with self.backend.transaction():
            return singly.claim(self.backend, recipient, worker, limit, now)

    def settle(self, *outcomes: Outcome, worker: str = "a.1", agent: str = "a", now: float = NOW + 1) -> Settlement:
        with self.backend.transaction():
            return singly.settle(self.backend, worker, agent, outcomes, now, three_attempts)

    def due(self, now: float) -> Settlement:
        with self.backend.transaction():
            return self.backend.due(now)

    def look(self, task_id: str) -> Detail:
        with self.pool.connection() as database:
            return message(database, task_id)

    def status(self, task_id: str) -> str:
        return self.look(task_id).message.status


def three_attempts(recipient: str, kind: str, attempts: int) -> float | None:
    """10 s, then 20 s, then none."""
    return None if attempts >= 3 else 10.0 * attempts


def task(recipient: str = "a", **fields: Any) -> NewTask:
    values: dict[str, Any] = {"task_id": new_id(), "sender": "test", "type": "t", "payload": "{}", **fields}
    return NewTask(recipient=recipient, **values)


def done(lease: Lease, **fields: Any) -> Outcome:
    return Outcome(lease.row, lease.fence, "done", **{"started": NOW, "duration_ms": 5, "result": "1", **fields})


def ended(lease: Lease, kind: str, **fields: Any) -> Outcome:
    return Outcome(lease.row, lease.fence, kind, **{"started": NOW, "duration_ms": 5, **fields})
