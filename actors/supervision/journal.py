"""What the supervisor tells storage: which workers are gone, and what has happened. Said until it is committed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from squad.actors.agents.blackbox import Hand
from squad.actors.protocol import Address, Record, Released
from squad.actors.supervision.children import Cause, Child
from squad.events import Event, event
from squad.ids import derived_id, new_id
from squad.messages import type_of
from squad.notices import QUARANTINED, Quarantined
from squad.store.rows import ENDED, NewTask

_SAY_AGAIN = 5.0  # seconds without an acknowledgement


class Notice(NamedTuple):
    """An agent was quarantined; ``at`` in seconds since the epoch."""

    name: str
    reason: str
    cause: Cause | None
    at: float


class Journal:
    """``storage`` is the child that may be down; everything is said again until it acknowledges it."""

    def __init__(self, tell: Callable[[Address, Any], None], storage: Callable[[], Child]) -> None:
        self.unreleased: dict[str, Released] = {}  # by worker: not yet acknowledged
        self._records: dict[int, Record] = {}  # by number, in order: not yet acknowledged
        self._after: dict[int, Callable[[], None]] = {}  # by number: what to do once it is acknowledged
        self._number = 0
        self._author = new_id()
        self._tell = tell
        self._storage = storage
        self._said_at = 0.0  # monotonic

    def release(self, worker: str, hand: Hand | None, reason: str, *, charge: bool, cause: Cause | None = None) -> None:
        """A worker is gone: its leases return, and what it had in ``hand`` is charged an attempt if ``charge``."""
        row = None if hand is None else (hand.row, hand.fence)
        self.unreleased[worker] = Released(worker, row, reason, charge, cause if cause in ENDED else "crash")
        self._say(self.unreleased[worker])

    def released(self, worker: str) -> None:
        """Storage has committed it."""
        self.unreleased.pop(worker, None)

    def note(self, happened: Event) -> None:
        """Record an event."""
        self.record(Record(events=(happened,)))

    def quarantined(self, notice: Notice, told: str | None, then: Callable[[], None]) -> None:
        """Record it, and send a message about it to the agent ``told``: one, however often it is said. ``then`` is
        called when that is stored."""
        name, reason, cause, at = notice
        sends: tuple[NewTask, ...] = ()
        if told is not None:
            text = reason.encode("utf-8", "backslashreplace").decode()  # it may come from an exception of the user's
            payload = type_of(Quarantined).encode(Quarantined(agent=name, reason=text))
            task_id = derived_id(at, f"quarantined {name}")
            sends = (NewTask(task_id, "supervisor", told, QUARANTINED, payload, priority=1),)
        self._after[self._number + 1] = then
        self.record(Record(events=(event("quarantined", name, reason=reason, cause=cause),), sends=sends))

    def record(self, record: Record) -> None:
        self._number += 1
        self._records[self._number] = replace(record, author=self._author, number=self._number)
        self._say(self._records[self._number])

    def recorded(self, number: int) -> None:
        """Storage has committed it."""
        self._records.pop(number, None)
        if (then := self._after.pop(number, None)) is not None:
            then()

    def served(self) -> None:
        """A storage is there, for the first time or again: tell it what is not acknowledged."""
        for release in self.unreleased.values():
            self._say(release)
        for record in self._records.values():
            self._say(record)

    def say_again(self) -> None:
        """Called now and then: what has gone without an answer for long was lost on the way."""
        if (self.unreleased or self._records) and time.monotonic() - self._said_at > _SAY_AGAIN:
            self.served()

    def _say(self, message: Released | Record) -> None:
        storage = self._storage()
        if storage.ready:
            self._said_at = time.monotonic()
            self._tell(storage.address, message)
