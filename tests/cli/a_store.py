"""Messages in a real store, made to live as a test tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from squad.events import Event
from squad.ids import new_id
from squad.store.holds import KEY, Holds
from squad.store.rows import Lease, NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

START = 1_780_000_000.0  # seconds since the epoch


class Story:
    """Each method tells one thing that happens, a second after the one before; ids are the messages' own."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.now = START

    def sent(self, recipient: str, type_name: str, payload: Any = None, **fields: Any) -> str:
        """Somebody outside sends a message."""
        task = NewTask(new_id(), "cli", recipient, type_name, json.dumps(payload or {}), **fields)
        with self.writer.transaction():
            (stored,) = self.writer.submit([task], self._tick())
        return stored.task_id

    def completed(self, task_id: str, result: Any = None, sends: tuple[tuple[str, str], ...] = ()) -> list[str]:
        """Its handler ends well; ``sends`` are (recipient, type) of what it sent, whose ids are returned."""
        lease, recipient = self._claimed(task_id)
        root = lease.root_id
        tasks = tuple(
            NewTask(new_id(), recipient, to, name, "{}", parent_id=task_id, root_id=root) for to, name in sends
        )
        self._ends(lease, recipient, kind="done", result=json.dumps(result), sends=tasks)
        return [task.task_id for task in tasks]

    def failed(self, task_id: str, error: str = "ValueError: no\n  File x", attempts: int = 1) -> None:
        """It fails as often as that, and is a dead letter then."""
        for number in range(1, attempts + 1):
            lease, recipient = self._claimed(task_id)
            self._ends(lease, recipient, kind="error", error=error, retry=number < attempts)

    def refused(self, task_id: str, reason: str) -> None:
        lease, recipient = self._claimed(task_id)
        self._ends(lease, recipient, kind="refused", error=reason)

    def running(self, task_id: str) -> None:
        self._claimed(task_id)

    def held(self, holds: Holds) -> None:
        with self.writer.transaction():
            self.writer.put([(KEY, holds.text())], self._tick())

    def kept(self, entries: Mapping[str, str]) -> None:
        """In the keeper table."""
        with self.writer.transaction():
            self.writer.put(list(entries.items()), self._tick())

    def recorded(self, *events: Event) -> None:
        with self.writer.transaction():
            self.writer.record_events(events, self._tick())

    def resized(self, convoy: str, before: int, after: int, reason: str) -> None:
        with self.writer.transaction():
            self.writer.record_resizes([(convoy, before, after, reason, '{"cpu_percent": 12.5}')], self._tick())

    def _claimed(self, task_id: str) -> tuple[Lease, str]:
        from squad.store.database import open_reader
        from squad.store.queries import message

        with open_reader(self.writer.path) as pool, pool.connection() as database:
            recipient = message(database, task_id).message.recipient
        with self.writer.transaction():
            leases = singly.claim(self.writer, recipient, f"{recipient}/1", 1000, self._tick())
        mine = [lease for lease in leases if lease.task_id == task_id]
        others = tuple(Outcome(lease.row, lease.fence, "returned") for lease in leases if lease.task_id != task_id)
        with self.writer.transaction():
            singly.settle(self.writer, f"{recipient}/1", recipient, others, self.now, lambda *_: None)
        assert mine, f"{task_id} cannot be claimed"
        return mine[0], recipient

    def _ends(self, lease: Lease, recipient: str, *, retry: bool = False, **fields: Any) -> None:
        started = self.now
        outcome = Outcome(lease.row, lease.fence, started=started, duration_ms=1234, **fields)
        with self.writer.transaction():
            settled = singly.settle(
                self.writer, f"{recipient}/1", recipient, [outcome], self._tick(), lambda *_: 0.0 if retry else None
            )
        assert list(settled.accepted) == [True]

    def _tick(self) -> float:
        self.now += 1
        return self.now
