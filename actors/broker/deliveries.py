"""What goes to workers after a commit: the messages that they are given, and what became of their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from squad.actors.broker.acknowledgements import Acknowledgements
from squad.actors.broker.rounds import Round
from squad.actors.broker.workers import Workers
from squad.actors.protocol import Address, Deliver


class Deliveries:
    """An acknowledgement that comes without messages may wait for some, while the squad is ``busy``."""

    def __init__(self, workers: Workers, send: Callable[[Address, Any], None]) -> None:
        self._workers = workers
        self._send = send
        self._acknowledgements = Acknowledgements()

    @property
    def due(self) -> float | None:
        """When the next that waits must be sent, monotonic."""
        return self._acknowledgements.due

    def gone(self, name: str) -> None:
        """Nobody waits any more for what was kept for this worker."""
        self._acknowledgements.take(name)

    def send(self, done: Round, now: float, *, busy: bool) -> None:
        """A packet to each worker at most."""
        overdue = self._acknowledgements.overdue(now)
        for name in {*done.settled, *done.leases, *overdue}:
            worker = self._workers.get(name)
            if worker is None:
                continue
            leases, settled = done.leases.get(name, ()), done.settled.get(name, ())
            if busy and settled and not leases and worker.window and name not in overdue:
                self._acknowledgements.keep(name, settled, now)
                continue
            settled = (*self._acknowledgements.take(name), *settled)
            if leases or settled:
                self._send(worker.address, Deliver(tuple(leases), settled))
