"""What the broker hands out to nobody: the mailboxes of paused agents, and all of them while the squad is frozen.

The row of the keeper table is the truth. It changes inside the broker's transaction, and what is remembered here with
its commit.
"""

from __future__ import annotations

from collections.abc import Iterable

from squad.actors.protocol import Hold, HoldDone
from squad.clock import Clock
from squad.durations import format_duration
from squad.events import Event, event
from squad.store.backend import Backend
from squad.store.holds import KEY, Freeze, Holds, Pause

_AGAIN = 5.0  # seconds until the supervisor is asked once more to end a process


class Gate:
    """See the module. ``shut``: something is on hold, so that whoever is in a hurry need not ask further.

    ``cut_at``: when the processes of handlers that run in a frozen squad are due to be ended. It is of the monotonic
    clock; the row has the moment at which that was to be when it was said, for people and for a later storage.
    """

    def __init__(self, clock: Clock) -> None:
        self.shut = False
        self.cut_at: float | None = None
        self._clock = clock
        self._until: float | None = None  # of the freeze that ``cut_at`` is known for, seconds since the epoch
        self._holds = Holds()
        self._next: Holds | None = None  # what it is once the present transaction is committed

    def recover(self, text: str | None) -> None:
        """Take up the row as an earlier storage left it."""
        self._take(Holds.read(text))

    @property
    def holds(self) -> Holds:
        """As it is at this point of the transaction."""
        return self._holds if self._next is None else self._next

    def free(self, recipients: Iterable[str]) -> list[str]:
        """Those of them that are not on hold."""
        holds = self.holds
        return [recipient for recipient in recipients if not holds.hold(recipient)]

    def carry_out(self, writer: Backend, msg: Hold, now: float) -> HoldDone:
        """In a transaction: put something on hold, or let it go on."""
        before = self.holds
        after, changed, events = _changed(before, msg, now)
        if after != before:
            writer.put(((KEY, after.text()),), now)
            writer.record_events(events, now)
            self._next, self.shut = after, True  # until the commit it is better to look twice
            self._aim(after)
        return HoldDone(msg.request, changed, after.text())

    def commit(self) -> Holds | None:
        """The transaction is durable; what is on hold now if that has changed."""
        changed, self._next = self._next, None
        if changed is not None:
            self._take(changed)
        return changed

    def roll_back(self) -> None:
        self._next = None
        self._until = None
        self._take(self._holds)

    def overdue(self, now: float, loaded: Iterable[str]) -> dict[str, str]:
        """Workers whose processes must be ended, and why, when it is time. ``loaded`` are those with leases."""
        if self.cut_at is None or now < self.cut_at:
            return {}
        frozen = self.holds.frozen
        grace = None if frozen is None or frozen.until is None else max(0.0, frozen.until - frozen.since)
        left = "at once" if grace is None else f"within {format_duration(grace)}"
        late = dict.fromkeys(loaded, f"the squad is frozen, and its handler did not end {left}")
        self.cut_at = now + _AGAIN if late else None
        return late

    def _take(self, holds: Holds) -> None:
        self._holds = holds
        self.shut = bool(holds)
        self._aim(holds)

    def _aim(self, holds: Holds) -> None:
        until = holds.frozen.until if holds.frozen is not None else None
        if until is None:
            self.cut_at = None
        elif until != self._until:
            self.cut_at = self._clock.monotonic() + max(0.0, until - self._clock.time())
        self._until = until


def _changed(holds: Holds, msg: Hold, now: float) -> tuple[Holds, tuple[str, ...], list[Event]]:
    """What is on hold after this order, the names for which it made a difference, and what to record."""
    match msg.action:
        case "pause":
            after, names = holds.pause(msg.names, Pause(now, msg.by, msg.reason))
            return after, names, [event("paused", name, by=msg.by, reason=msg.reason) for name in names]
        case "resume":
            after, names = holds.resume(msg.names)
            return after, names, [event("resumed", name, by=msg.by) for name in names]
        case "freeze":
            until = None if msg.grace is None else now + msg.grace
            after = holds.freeze(Freeze(now, msg.by, msg.reason, until))
            fresh = msg.names if holds.frozen is None else ()
            made = [event("frozen", name, by=msg.by, reason=msg.reason, grace=msg.grace) for name in fresh]
            return after, fresh, made
        case "look":
            return holds, (), []
        case "thaw":
            over = msg.names if holds.frozen is not None else ()
            return holds.thaw(), over, [event("thawed", name, by=msg.by) for name in over]
