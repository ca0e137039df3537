"""A store in which things happen, for the tests of what is told about it."""

from __future__ import annotations

from typing import Any

from squad.ids import new_id
from squad.store.history import Happening
from squad.store.rows import DeadFilter, Lease, NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

NOW = 1_700_000_000.0


class Squad:
    """Lets things happen in a store, a second after one another unless told otherwise."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.now = NOW
        self.step = 1.0

    def _tick(self) -> float:
        self.now += self.step
        return self.now

    def send(self, recipient: str = "a", **fields: Any) -> str:
        task = NewTask(new_id(), "cli", recipient, "t", "{}", **fields)
        with self.writer.transaction():
            self.writer.submit([task], self._tick())
        return task.task_id

    def claim(self, recipient: str = "a", count: int = 1) -> list[Lease]:
        with self.writer.transaction():
            return singly.claim(self.writer, recipient, f"{recipient}/1", count, self._tick())

    def settle(self, lease: Lease, kind: str, recipient: str = "a", *, final: bool = False, **fields: Any) -> None:
        started = 0.0 if kind == "returned" else self.now
        outcome = Outcome(lease.row, lease.fence, kind, started, 5, **fields)
        with self.writer.transaction():
            delay = None if final else 0.0
            singly.settle(self.writer, f"{recipient}/1", recipient, [outcome], self._tick(), lambda *_: delay)

    def handle(self, kind: str = "done", recipient: str = "a", **fields: Any) -> None:
        (lease,) = self.claim(recipient)
        self.settle(lease, kind, recipient, **fields)

    def note(self, *events: Any) -> None:
        with self.writer.transaction():
            self.writer.record_events(events, self._tick())

    def resize(self, convoy: str) -> None:
        with self.writer.transaction():
            self.writer.record_resizes([(convoy, 2, 4, "40 wait", "{}")], self._tick())

    def replay(self) -> None:
        """Put all dead letters back into their queues."""
        with self.writer.transaction():
            self.writer.replay(self.writer.dead(DeadFilter()), lambda _: None, self._tick())

    def drop(self) -> None:
        """Drop all dead letters."""
        with self.writer.transaction():
            self.writer.drop(self.writer.dead(DeadFilter()), self._tick())


def told(happenings: list[Happening]) -> list[str]:
    return [happening.kind for happening in happenings]
