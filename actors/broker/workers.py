"""The workers that the broker hands messages to: where they are, how many each may hold, and which it holds."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from squad.actors.broker.rounds import Round
from squad.actors.protocol import Address, Ready
from squad.store.rows import Running

_IN_FLIGHT = 2.0  # seconds within which a delivery may still be on its way to its worker
_REMEMBERED = 10_000  # workers whose end is remembered, so that a late Ready of theirs is not believed


@dataclass(slots=True)
class Worker:
    """``address`` is None until it has introduced itself to this storage. ``held``: row -> fence, when delivered
    (seconds, monotonic)."""

    recipient: str = ""
    address: Address = None
    window: int = 0
    held: dict[int, tuple[int, float]] = field(default_factory=dict)

    @property
    def room(self) -> int:
        return self.window - len(self.held) if self.address is not None else 0


class Workers:
    """See the module. Workers have names."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._by_recipient: dict[str, set[str]] = defaultdict(set)
        self._gone: deque[str] = deque(maxlen=_REMEMBERED)

    def get(self, name: str) -> Worker | None:
        """One that has introduced itself."""
        worker = self._workers.get(name)
        return worker if worker is not None and worker.address is not None else None

    def recover(self, lease: Running) -> None:
        """It lives, and had this lease from an earlier storage."""
        self._workers.setdefault(lease.worker, Worker()).held[lease.row] = (lease.fence, 0.0)

    def recovered(self, name: str, row: int) -> bool:
        """Whether it has this lease, be it that it has not introduced itself yet."""
        return name in self._workers and row in self._workers[name].held

    def heard(self, msg: Ready, sender: Address) -> bool:
        """It says what it takes; False when it is known to be gone, and this is an echo."""
        if msg.worker in self._gone:
            return False
        worker = self._workers.setdefault(msg.worker, Worker())
        worker.recipient, worker.address, worker.window = msg.recipient, sender, msg.window
        self._by_recipient[msg.recipient].add(msg.worker)
        return True

    def lost(self, msg: Ready) -> list[Running]:
        """Leases that it should have and does not name, and that are on their way no more."""
        named = {row for row, _ in msg.held}
        return [
            Running(row, fence, msg.worker, msg.recipient)
            for row, (fence, delivered) in self._workers[msg.worker].held.items()
            if row not in named and msg.heard - delivered > _IN_FLIGHT
        ]

    def rooms(self, recipient: str, done: Round) -> list[tuple[int, str]]:
        """How many more messages each worker of ``recipient`` can have in this round, the emptiest first."""
        rooms = [(self._room(name, done), name) for name in self._by_recipient[recipient] if name not in done.gone]
        return sorted(rooms, reverse=True) if len(rooms) > 1 else rooms

    def _room(self, name: str, done: Round) -> int:
        worker = self._workers[name]
        freed = {row for row, _, _ in done.settled.get(name, ())}
        if done.returned:
            freed |= {row for of, row in done.returned if of == name}
        return worker.room + len(freed & worker.held.keys()) - len(done.leases.get(name, ()))

    def commit(self, done: Round, now: float) -> None:
        """What was settled and returned is held no more, what was claimed is, and what is gone is forgotten."""
        for name, row in done.returned:
            self._workers[name].held.pop(row, None)
        for name, settled in done.settled.items():
            for row, _, _ in settled:
                self._workers[name].held.pop(row, None)
        for name, leases in done.leases.items():
            self._workers[name].held.update({lease.row: (lease.fence, now) for lease in leases})

    def loaded(self) -> list[str]:
        """Those with leases."""
        return [name for name, worker in self._workers.items() if worker.held]

    def ended(self, name: str) -> None:
        self._gone.append(name)
        worker = self._workers.pop(name, None)
        if worker is not None:
            self._by_recipient[worker.recipient].discard(name)
