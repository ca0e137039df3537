"""What the supervisor tells storage: which workers are gone, and what has happened. Kept until storage is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from squad.actors.blackbox import Hand
from squad.actors.children import Child
from squad.actors.protocol import Address, Record, Released
from squad.events import Event


class Journal:
    """``storage`` is the child that may be down; releases are said again until it acknowledges them."""

    def __init__(self, tell: Callable[[Address, Any], None], storage: Callable[[], Child]) -> None:
        self.unreleased: dict[str, Released] = {}  # by worker: said, not yet acknowledged
        self._tell = tell
        self._storage = storage
        self._waiting: list[Record] = []

    def release(self, worker: str, hand: Hand | None, reason: str, *, charge: bool) -> None:
        """A worker is gone: its leases return, and what it had in ``hand`` is charged an attempt if ``charge``."""
        row = None if hand is None else (hand.row, hand.fence)
        self.unreleased[worker] = Released(worker, row, reason, charge)
        storage = self._storage()
        if storage.running:
            self._tell(storage.address, self.unreleased[worker])

    def released(self, worker: str) -> None:
        """Storage has committed it."""
        self.unreleased.pop(worker, None)

    def note(self, happened: Event) -> None:
        """Record an event."""
        self.record(Record(events=(happened,)))

    def record(self, record: Record) -> None:
        storage = self._storage()
        if storage.ready:
            self._tell(storage.address, record)
        else:
            self._waiting.append(record)

    def served(self, address: Address) -> None:
        """A storage is there, for the first time or again: tell it what waits."""
        for message in (*self.unreleased.values(), *self._waiting):
            self._tell(address, message)
        self._waiting.clear()
