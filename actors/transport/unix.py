"""A transport for Thespian over Unix-domain stream sockets: no network, and no bytes but the same user's.

Thespian's TCPTransport is no base for it: importing that module looks names up in the DNS and opens a UDP socket, it
connects anew for each message and waits for its answer, has 20 in flight for all targets together, so that one stopped
process holds up everybody, stops to receive when 950 wait, and drops at 1,050.

The first message that an actor sends to another while it handles a batch is written at once. Those which follow travel
together: at the end of the batch, after a millisecond, or when there are many, whichever comes first.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import select
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, WakeupMessage, WatchMessage
from thespian.system.addressManager import CannotPickleAddress
from thespian.system.messages.multiproc import ChildMayHaveDied
from thespian.system.timing import ExpirationTimer, timePeriodSeconds
from thespian.system.transport import (
    ReceiveEnvelope,
    SendStatus,
    Thespian__Run_HandlerResult,
    Thespian__Run_Terminated,
    Thespian__UpdateWork,
    TransmitOnly,
)
from thespian.system.utilis import thesplog

from squad.actors.transport.address import UnixAddress
from squad.actors.transport.folder import SocketFolder
from squad.actors.transport.inbox import Inbox
from squad.actors.transport.lanes import Fate, Lanes
from squad.actors.transport.poller import Poller
from squad.actors.transport.processes import belongs_to_parent
from squad.actors.transport.timers import Timers
from squad.actors.transport.wire import frame, greeting

_TOGETHER = 0.001  # seconds of a batch after which what waits is written
_STATUS = {
    Fate.SENT: SendStatus.Sent,
    Fate.DEAD: SendStatus.DeadTarget,
    Fate.UNREAD: SendStatus.DeadTarget,
    Fate.EXPIRED: SendStatus.Expired,
    Fate.REFUSED: SendStatus.Failed,
}


@dataclass(frozen=True)
class Endpoint:
    """What a process needs to take part: made by its parent."""

    number: int | None  # of a child, as its parent counts them
    path: str  # where it listens
    admin: Any  # the admin's ActorAddress
    folder: SocketFolder
    logs: Mapping[str, Any] | None = None  # what plain actors log, as for logging.config.dictConfig


class Letter:
    """A message on its way, for a sender that wants to hear of failures only: Thespian's TransmitIntent without the
    timers and callbacks, which cost more than the sending."""

    __slots__ = ("failed", "message", "targetAddr")

    def __init__(self, target: Any, message: Any, failed: Callable[[Any, Letter], object]) -> None:
        self.targetAddr, self.message, self.failed = target, message, failed

    def tx_done(self, status: Any) -> None:
        if not status:
            self.failed(status, self)

    def identify(self) -> str:
        return f"{type(self.message).__name__} to {self.targetAddr}"


class UnixTransport:
    """Thespian's names and their meaning are described in its ``system/transport``.

    The thread that is inside ``run`` does the work, but for what others send with ``scheduleTransmit`` or ``post``:
    they write it themselves. ``deliver`` is for any thread, too.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.path = endpoint.path
        self.myAddress = ActorAddress(UnixAddress(endpoint.path))
        self._endpoint = endpoint
        self._poller = Poller()
        self._inbox = Inbox(endpoint.path, self._poller)
        self._lanes = Lanes(greeting(endpoint.path), self._poller)
        self._timers = Timers()
        self._owner = os.getpid()
        self._runner: int | None = None  # the thread inside ``run``
        self._watches: list[int] = []
        self._watched: list[int] = []  # those that are ready
        self._children_changed = False
        self._stop: bool | None = None  # True: once all is sent; False: at once
        belongs_to_parent(self)

    # -- life -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop listening and remove the socket file. Idempotent; what was not sent yet is dropped."""
        if self._owner == os.getpid():
            with contextlib.suppress(OSError):  # it is gone, or the disk is read-only now
                Path(self.path).unlink()
        self._poller.close()
        self._inbox.close()
        self._lanes.close()

    def abandon(self) -> None:
        self._poller.abandon()
        self._inbox.abandon()
        self._lanes.abandon()

    def external_transport_clone(self) -> UnixTransport:
        return UnixTransport(self.endpoint_for(None))

    def endpoint_for(self, number: int | None) -> Endpoint:
        """A new endpoint in the same tree; ``number``: of the child, as its parent counts them."""
        return replace(self._endpoint, number=number, path=self._endpoint.folder.fresh())

    def setAddressManager(self, addrManager: Any) -> None:  # noqa: N802, N803
        """It is handed over with each message as well."""

    def deadAddress(self, addressManager: Any, childAddr: Any) -> None:  # noqa: N802, N803
        address = addressManager.exportAddr(childAddr)
        if address is not None:
            self._lanes.bury(address.addressDetails.path)

    def read_the_last_of(self, path: str) -> None:
        """Take what the dead process that listened at ``path`` had written before its end."""
        self._inbox.read_the_last_of(path)

    # -- messages ---------------------------------------------------------------------------------------------------

    def scheduleTransmit(self, addressManager: Any, intent: Any) -> None:  # noqa: N802, N803
        """Begin to send, without ever waiting. Raises CannotPickleAddress while the target, or an address inside
        the message, is a child that has not said yet where it listens; and what pickle raises."""
        if isinstance(intent.message, Thespian__UpdateWork):  # only ever meant to wake the loop
            intent.tx_done(SendStatus.Sent)
            return
        if addressManager:
            target = addressManager.exportAddr(intent.targetAddr)
            if target is None:
                raise CannotPickleAddress(intent.targetAddr)
            intent.changeTargetAddr(target)
        self.post(intent.targetAddr.addressDetails.path, intent.message, intent)

    def post(self, path: str, message: Any, parcel: Any) -> None:
        """Begin to send. ``parcel.tx_done(status)`` is called on the loop once the fate is known. Raises as above."""
        if path == self.path:
            self.deliver(message)
            self._lanes.finished.append((parcel, Fate.SENT))
            return
        data = frame(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))
        if threading.get_ident() == self._runner:
            self._lanes.add(path, data, parcel)
        elif self._lanes.send(path, data, parcel):
            self._poller.wake()

    def deliver(self, message: Any, sender: Any = None) -> None:
        """Put a message of this actor to itself (or of ``sender``) behind what it has received. It is not pickled."""
        self._inbox.messages.append((sender or self.myAddress, message))
        if threading.get_ident() != self._runner:
            self._poller.wake()

    def drain(self, seconds: float) -> None:
        """Send what waits, for ``seconds`` at most; receive nothing. For a process that ends: nothing is reported."""
        deadline = time.monotonic() + seconds
        self._inbox.stop()
        self.set_watch([])
        self._lanes.flush()
        while self._lanes and (left := deadline - time.monotonic()) > 0:
            patience = self._lanes.patience()
            self._poller.wait(left if patience is None else min(left, patience))
            self._lanes.attend()

    # -- things that happen -----------------------------------------------------------------------------------------

    def addWakeup(self, timePeriod: Any, payload: Any) -> None:  # noqa: N802, N803
        self._timers.add(timePeriodSeconds(timePeriod), timePeriod, payload)

    def set_watch(self, watchlist: list[int]) -> None:
        """Have a WatchMessage delivered when one of these descriptors can be read. The same list object again means
        that nothing has changed; another list is registered anew, for its numbers may mean other files now."""
        if watchlist is self._watches or not (watchlist or self._watches):
            return
        for descriptor in self._watches:
            self._poller.remove(descriptor)
        self._watches = watchlist
        for descriptor in dict.fromkeys(watchlist):
            self._poller.add(descriptor, select.EPOLLIN, partial(self._see, descriptor))

    def _see(self, descriptor: int, _events: int) -> None:
        self._watched.append(descriptor)

    def interrupt_wait(self, check_children: bool = False) -> None:
        """Have the loop look up. Called in handlers of signals."""
        self._children_changed |= check_children
        self._poller.wake()

    # -- the loop ---------------------------------------------------------------------------------------------------

    def abort_run(self, drain: bool = False) -> None:
        self._stop = drain

    def run(self, incomingHandler: Any, maximumDuration: Any = None) -> Any:  # noqa: N803
        """Handle messages and timers for ``maximumDuration`` (seconds or timedelta; None: for ever).

        Returns the first envelope, without a handler; a handler's refusal; Thespian__Run_Terminated after
        ``abort_run``; 0 when all is sent, for TransmitOnly; or None, when the time is over.
        """
        deadline = None if maximumDuration is None else time.monotonic() + timePeriodSeconds(maximumDuration)
        self._stop = None
        outer, self._runner = self._runner, threading.get_ident()
        try:
            while True:
                self._lanes.flush()
                self._report()
                if self._stopped():
                    return Thespian__Run_Terminated()
                if incomingHandler is TransmitOnly:
                    if not self._lanes:
                        return 0
                elif (result := self._handle_what_is_here(incomingHandler)) is not None:
                    return result
                if deadline is not None and time.monotonic() >= deadline:
                    return None
                self._wait(deadline, incomingHandler is TransmitOnly)
        finally:
            self._runner = outer

    def _stopped(self) -> bool:
        return self._stop is False or (self._stop is True and not self._lanes)

    def _report(self) -> None:
        finished = self._lanes.finished
        while finished:
            parcel, fate = finished.popleft()
            if fate is not Fate.SENT:
                # That somebody has gone is nothing special.
                level = logging.WARNING if fate in (Fate.EXPIRED, Fate.REFUSED) else logging.INFO
                thesplog("a %s is lost: %s", parcel.identify(), fate.value, level=level)
            # A Letter hears of failures only; a TransmitIntent has one result, and had it when it was sent.
            if fate is (Fate.SENT if type(parcel) is Letter else Fate.UNREAD):
                continue
            parcel.tx_done(_STATUS[fate])

    def _handle_what_is_here(self, handler: Callable[[Any], Any] | None) -> Any:
        """None to go on; or what ``run`` is to return: the first envelope without a handler, or a handler's refusal."""
        messages, lanes = self._inbox.messages, self._lanes
        flush_at = time.monotonic() + _TOGETHER
        for _ in range(len(messages)):
            envelope = ReceiveEnvelope(*messages.popleft())
            if handler is None:
                return envelope
            result = handler(envelope)
            if not result:
                return Thespian__Run_HandlerResult(result)
            if lanes.unflushed and (now := time.monotonic()) >= flush_at:
                lanes.flush()
                flush_at = now + _TOGETHER
        for period, payload in self._timers.take_due():
            envelope = ReceiveEnvelope(self.myAddress, WakeupMessage(period, payload))
            if handler is None:
                return envelope
            result = handler(envelope)
            if not result:
                return Thespian__Run_HandlerResult(result)
        return None

    def _wait(self, deadline: float | None, sending_only: bool) -> None:
        """One round: wait for the first thing to happen, then do what can be done."""
        self._lanes.flush()
        self._poller.wait(self._patience(deadline, sending_only))
        if self._watched:
            ready, self._watched = self._watched, []
            self.deliver(WatchMessage(ready))
        if self._children_changed:
            self._children_changed = False
            self.deliver(ChildMayHaveDied())
        self._lanes.attend()
        self._inbox.attend()

    def _patience(self, deadline: float | None, sending_only: bool) -> float | None:
        """Seconds until something must be done although nothing happens; None: for ever."""
        if self._lanes.finished or self._stop is not None:
            return 0
        if self._inbox.messages and not sending_only:
            return 0
        times = (deadline,) if sending_only else (deadline, self._timers.next_due())
        now = time.monotonic()
        limits = [max(0.0, when - now) for when in times if when is not None]
        limits.extend(each for each in (self._lanes.patience(), self._inbox.patience()) if each is not None)
        return min(limits, default=None)

    # -- status -----------------------------------------------------------------------------------------------------

    def _updateStatusResponse(self, resp: Any) -> None:  # noqa: N802
        resp.addWakeups([(self.myAddress, ExpirationTimer(seconds)) for seconds in self._timers])
        for sender, message in self._inbox.messages:
            resp.addPendingMessage(sender, self.myAddress, type(message).__name__)
