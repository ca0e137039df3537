"""A broker with a real database and a real writer thread; addresses are names, and what it sends is collected."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from squad.actors.broker.mailbox import Broker
from squad.actors.broker.rules import Rules
from squad.actors.protocol import Deliver, Evict, Submit, SubmitDone
from squad.clock import SYSTEM, Clock
from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.rows import Lease, NewTask, Outcome
from squad.store.writer import Writer

T = TypeVar("T")


class Post:
    """Collects what the broker sends, by address."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Any]] = defaultdict(list)
        self._changed = threading.Condition()

    def send(self, address: str, message: Any) -> None:
        with self._changed:
            self.sent[address].append(message)
            self._changed.notify_all()

    def until(self, look: Callable[[], T]) -> T:
        with self._changed:
            assert self._changed.wait_for(look, timeout=30), f"did not come; sent: {dict(self.sent)}"
            return look()

    def leases(self, address: str) -> list[Lease]:
        return [lease for m in self.sent[address] if isinstance(m, Deliver) for lease in m.leases]

    def settled(self, address: str) -> list[tuple[int, int, bool]]:
        return [one for m in self.sent[address] if isinstance(m, Deliver) for one in m.settled]

    def of(self, address: str, kind: type[T]) -> list[T]:
        return [m for m in self.sent[address] if isinstance(m, kind)]


def retry(recipient: str, kind: str, attempts: int) -> float | None:
    return 0.0 if attempts < 3 else None


class Storage:
    """A broker over one database file, which can be stopped and opened again."""

    def __init__(
        self, path: Path, rules: Rules | None = None, busy_timeout: int = 30_000, clock: Clock = SYSTEM
    ) -> None:
        self.path = path
        self.clock = clock
        self.settings = StoreConfig(busy_timeout=busy_timeout)
        self.rules = rules or Rules(retry)
        self.post = Post()
        self.broker: Broker | None = None
        self.open(alive=None)

    def open(self, alive: list[str] | None, in_hand: dict[str, tuple[int, int]] | None = None) -> None:
        assert self.broker is None
        self.writer = Writer(self.path, self.settings)
        self.broker = Broker(
            self.writer,
            self.rules,
            self.post.send,
            evict=self.evict,
            crashed=lambda: self.post.send("crashed", True),
            told=lambda state, error: self.post.send("told", (state, error)),
            clock=self.clock,
        )
        self.broker.recover(alive, in_hand or {})
        self.broker.start()

    def evict(self, worker: str, why: str) -> None:
        self.post.send("supervisor", Evict(worker, why))

    def close(self) -> None:
        if self.broker is not None:
            self.broker.stop()
            self.broker = None

    def put(self, message: Any, sender: str = "gateway") -> None:
        assert self.broker is not None
        self.broker.put(message, sender)

    def submit(self, *rows: NewTask) -> SubmitDone:
        request = new_id()
        self.put(Submit(request, rows))
        return self.post.until(
            lambda: next((m for m in self.post.of("gateway", SubmitDone) if m.request == request), None)
        )


def task(recipient: str = "a", **more: Any) -> NewTask:
    return NewTask(new_id(), "cli", recipient, "do", "{}", **more)


def done(lease: Lease, **more: Any) -> Outcome:
    return Outcome(lease.row, lease.fence, "done", time.time(), 1, "null", **more)
