"""What the broker does while its database fails: what it tells whom, what it keeps back, and when it tries again.

A lock or a disk may come back, so whatever must not be lost is kept and tried again, at growing intervals. Senders are
told that nothing is stored; for a lock, which mostly passes soon, only after a while. A damaged database does not mend
itself: then nothing is tried again, and every sender is told so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from squad.actors import logs
from squad.actors.protocol import (
    Address,
    Attend,
    Attended,
    Cancel,
    Cancelled,
    Desk,
    DeskDone,
    Hold,
    HoldDone,
    Maintain,
    MaintainDone,
    Ready,
    Record,
    Released,
    Settle,
    Submit,
    SubmitDone,
    Unwatch,
    Watch,
)
from squad.clock import Clock
from squad.durations import format_duration
from squad.errors import DamagedError, LockedError, StoreError
from squad.events import Event, event

Item = tuple[Any, Address]
Tell = Callable[[Address, Any], None]

_ORDERS: dict[type, Callable[..., Any]] = {
    Attend: Attended,
    Cancel: Cancelled,
    Desk: DeskDone,
    Hold: HoldDone,
    Maintain: MaintainDone,
}
"""What people ask for, and the answers, which can say that nothing was done."""

FAILING, DAMAGED = "failing", "damaged"  # states of the storage, for people

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds before it is tried again
_CALM = 10.0  # seconds without failure after which the pauses are short again
_LOCK = 10.0  # seconds for which senders wait for a lock to go; they would give up after twice that


class Trouble:
    """``told`` is called with a state and an error for people; the state is "ready" once it is over. True while there
    is any."""

    def __init__(self, send: Tell, told: Callable[[str, str], None], clock: Clock) -> None:
        self._send = send
        self._told = told
        self._clock = clock
        self._error: StoreError | None = None
        self._since = self._again_at = self._over_at = 0.0  # monotonic
        self._pause = _FIRST_PAUSE
        self._kept: dict[Any, Item] = {}  # in the order in which they came first

    def __bool__(self) -> bool:
        return self._error is not None

    @property
    def pause(self) -> float | None:
        """Seconds until it is tried again; None: never."""
        return None if isinstance(self._error, DamagedError) else max(0.0, self._again_at - self._clock.monotonic())

    def met(self, batch: list[Item], error: StoreError) -> None:
        """A round has failed with these."""
        now = self._clock.monotonic()
        before, self._error = self._error, error
        if before is None:
            self._since = now
            self._pause = _FIRST_PAUSE if now - self._over_at > _CALM else self._pause
        if before is None or before.message != error.message:
            self._tell(error)
        self._again_at = now + self._pause
        if not isinstance(error, LockedError):  # to try that is to wait for the lock already
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self.put_off(batch)

    def _tell(self, error: StoreError) -> None:
        log = logs.logger("storage")
        if isinstance(error, DamagedError):
            log.critical("%s: nothing is stored or handed out any more. %s", error, error.hint)
            self._told(DAMAGED, said(error))
        else:
            log.error("%s: it is tried again and again, and nothing is handed out meanwhile. %s", error, error.hint)
            self._told(FAILING, said(error))

    def put_off(self, batch: list[Item]) -> None:
        """What comes before it is tried again: refused, kept, or dropped, as it is said again to the next storage."""
        assert self._error is not None  # noqa: S101 - only while there is trouble
        hopeless = isinstance(self._error, DamagedError)
        waits = isinstance(self._error, LockedError) and self._clock.monotonic() - self._since < _LOCK
        for msg, sender in batch:
            if not waits and refused(msg, sender, self._send, self._error):
                continue
            if isinstance(msg, Unwatch) and self._kept.pop((Watch, msg.request), None) is not None:
                continue
            if not hopeless:
                self._kept[name(msg)] = (msg, sender)

    def with_kept(self, batch: list[Item]) -> list[Item]:
        """All that is to be done now: what was kept, then ``batch``."""
        kept, self._kept = self._kept, {}
        return [*kept.values(), *batch] if kept else batch

    def ending(self) -> Event:
        """To be recorded by the transaction with which it ends; that it can be is the proof."""
        lasted = self._clock.monotonic() - self._since
        return event("disrupted", "storage", reason=str(self._error), seconds=round(lasted, 1))

    def over(self) -> None:
        """A round went through."""
        self._over_at = self._clock.monotonic()
        lasted = format_duration(self._over_at - self._since)
        logs.logger("storage").warning("the database works again, after %s: %s", lasted, self._error)
        self._error = None
        self._told("ready", "")


def said(error: StoreError) -> str:
    """For people, on one line."""
    return f"{error.message} ({error.hint})" if error.hint else error.message


def refused(msg: Any, sender: Address, send: Tell, error: StoreError) -> bool:
    """Tell somebody from outside that it cannot be done. False for what nobody outside waits for."""
    if isinstance(msg, Submit):
        send(sender, SubmitDone(msg.request, (), f"nothing was queued: {said(error)}"))
    elif (answer := _ORDERS.get(type(msg))) is not None:
        send(sender, answer(msg.request, error=StoreError(f"nothing was done: {error.message}", hint=error.hint)))
    else:
        return False
    return True


def name(msg: Any) -> Any:
    """What is said again under the same name says the same, or something newer; it need be kept only once."""
    match msg:
        case Ready() | Released():
            return type(msg), msg.worker
        case Settle():
            return Settle, msg.worker, tuple(outcome[:2] for outcome in msg.outcomes)
        case Record():
            return (Record, msg.author, msg.number) if msg.author else (Record, id(msg))
        case _:
            return type(msg), getattr(msg, "request", "")
