"""A transport for Thespian over Unix-domain stream sockets: no network, and no bytes but the same user's.

Thespian's TCPTransport is no base for it: importing that module looks names up in the DNS and opens a UDP socket. Its
``wakeupTransportBase`` (timers and ``run``) is. What is kept of TCPTransport is that every message is acknowledged and
one is on its way from one actor to another; what is not: it has 20 in flight for all targets together, so that one
stopped process holds up everybody, stops to receive when 950 wait, drops at 1,050, and retries after 35 seconds.
"""

from __future__ import annotations

import logging
import os
import pickle
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress, WatchMessage
from thespian.system.addressManager import CannotPickleAddress
from thespian.system.messages.multiproc import ChildMayHaveDied
from thespian.system.timing import ExpirationTimer
from thespian.system.transport import (
    ReceiveEnvelope,
    SendStatus,
    Thespian__Run_Expired,
    Thespian__Run_HandlerResult,
    Thespian__Run_Terminated,
    Thespian__UpdateWork,
    TransmitOnly,
)
from thespian.system.transport.wakeupTransportBase import wakeupTransportBase
from thespian.system.utilis import thesplog

from squad.actors.transport.address import UnixAddress
from squad.actors.transport.folder import SocketFolder
from squad.actors.transport.inbox import Inbox
from squad.actors.transport.lanes import Fate, Lanes
from squad.actors.transport.processes import belongs_to_parent

_STATUS = {
    Fate.TAKEN: SendStatus.Sent,
    Fate.DEAD: SendStatus.DeadTarget,
    Fate.UNREADABLE: SendStatus.BadPacket,
    Fate.BROKEN: SendStatus.Failed,
    Fate.EXPIRED: SendStatus.Expired,
}


@dataclass(frozen=True)
class Endpoint:
    """What a process needs to take part: made by its parent."""

    number: int | None  # of a child, as its parent counts them
    path: str  # where it listens
    admin: Any  # the admin's ActorAddress
    folder: SocketFolder


class UnixTransport(wakeupTransportBase):  # type: ignore[misc]
    """Belongs to one thread. Thespian's names and their meaning are described in its ``system/transport``."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self.path = endpoint.path
        self.myAddress = ActorAddress(UnixAddress(endpoint.path))
        self.run_time = ExpirationTimer(None)
        self._endpoint = endpoint
        self._inbox = Inbox(endpoint.path)
        self._lanes = Lanes()
        self._owner = os.getpid()
        self._watches: list[int] = []
        self._children_changed = False
        self._stop: bool | None = None  # True: once all is sent; False: at once
        belongs_to_parent(self)

    # -- life -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop listening and remove the socket file. Idempotent; what was not sent yet is dropped."""
        if self._owner == os.getpid():
            Path(self.path).unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        self._inbox.close()
        self._lanes.close()

    def external_transport_clone(self) -> UnixTransport:
        return UnixTransport(self.endpoint_for(None))

    def endpoint_for(self, number: int | None) -> Endpoint:
        """A new endpoint in the same tree; ``number``: of the child, as its parent counts them."""
        return Endpoint(number, self._endpoint.folder.fresh(), self._endpoint.admin, self._endpoint.folder)

    def setAddressManager(self, addrManager: Any) -> None:  # noqa: N802, N803
        """It is handed over with each message as well."""

    def deadAddress(self, addressManager: Any, childAddr: Any) -> None:  # noqa: N802, N803
        address = addressManager.exportAddr(childAddr)
        if address is not None:
            self._lanes.bury(address.addressDetails.path)

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
        path = intent.targetAddr.addressDetails.path
        if path == self.path:
            self.deliver(intent.message)
            self._lanes.finished.append((intent, Fate.TAKEN))
        else:
            data = pickle.dumps((self.myAddress, intent.message), protocol=pickle.HIGHEST_PROTOCOL)
            self._lanes.add(path, data, intent)

    def deliver(self, message: Any) -> None:
        """Put a message of this actor to itself behind what it has received. It is not pickled."""
        self._inbox.messages.append((self.myAddress, message))

    def drain(self, seconds: float) -> None:
        """Send what waits, for ``seconds`` at most; receive nothing. For a process that ends: nothing is reported."""
        deadline = time.monotonic() + seconds
        while (patience := self._lanes.patience()) is not None and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            for descriptor, events in self._lanes.descriptors():
                poll.register(descriptor, events)
            for descriptor, _events in poll.poll(min(patience, left) * 1000):
                self._lanes.advance(descriptor)
            self._lanes.attend()

    def set_watch(self, watchlist: list[int]) -> None:
        self._watches = list(watchlist)

    def interrupt_wait(self, check_children: bool = False) -> None:
        """Have the loop look up. Called in handlers of signals."""
        self._children_changed |= check_children
        self._inbox.knock()

    # -- the loop ---------------------------------------------------------------------------------------------------

    def abort_run(self, drain: bool = False) -> None:
        self._stop = drain

    def _realizeWakeups(self) -> bool:  # noqa: N802
        happened: bool = super()._realizeWakeups()
        self._activeWakeups.reverse()  # they are taken from the end: the earliest comes first
        return happened

    def _runWithExpiry(self, incomingHandler: Any) -> Any:  # noqa: N802, N803
        """Called by ``run``: handle messages until the next timer, ``run_time``, is due."""
        sending_only = incomingHandler is TransmitOnly
        self._stop = None
        while True:
            while self._lanes.finished:
                intent, fate = self._lanes.finished.popleft()
                self._report(intent, fate)
            if self._stopped():
                return Thespian__Run_Terminated()
            if sending_only:
                if not self._lanes:
                    return 0
            elif (result := self._handle_what_is_here(incomingHandler)) is not None:
                return result
            if self.run_time.view().expired():
                return Thespian__Run_Expired()
            self._wait(sending_only)

    def _stopped(self) -> bool:
        return self._stop is False or (self._stop is True and not self._lanes)

    @staticmethod
    def _report(intent: Any, fate: Fate) -> None:
        if fate is not Fate.TAKEN:
            level = logging.INFO if fate is Fate.DEAD else logging.WARNING  # that somebody has gone is nothing special
            thesplog("a %s is lost: %s", intent.identify(), fate.value, level=level)
        intent.tx_done(_STATUS[fate])

    def _handle_what_is_here(self, handler: Callable[[Any], Any] | None) -> Any:
        """None to go on; or what ``run`` is to return: the first envelope without a handler, or a handler's refusal."""
        for _ in range(len(self._inbox.messages)):
            envelope = ReceiveEnvelope(*self._inbox.messages.popleft())
            if handler is None:
                return envelope
            result = Thespian__Run_HandlerResult(handler(envelope))
            if not result:
                return result
        return None

    def _wait(self, sending_only: bool) -> None:
        """One round: wait for the first thing to happen, then do what can be done."""
        poll = select.poll()
        if not sending_only:
            for descriptor in (*self._inbox.descriptors(), *self._watches):
                poll.register(descriptor, select.POLLIN)
        for descriptor, events in self._lanes.descriptors():
            poll.register(descriptor, events)
        watched = []
        for descriptor, _events in poll.poll(self._patience()):
            if descriptor in self._lanes:
                self._lanes.advance(descriptor)
            elif descriptor in self._inbox:
                self._inbox.read(descriptor)
            elif descriptor in self._watches:
                watched.append(descriptor)
        if watched:
            self.deliver(WatchMessage(watched))
        if self._children_changed:
            self._children_changed = False
            self.deliver(ChildMayHaveDied())
        self._lanes.attend()

    def _patience(self) -> float | None:
        """Milliseconds until something must be done although nothing happens; None: for ever."""
        if self._lanes.finished or self._inbox.messages:
            return 0
        limits = (self.run_time.view().remainingSeconds(), self._lanes.patience())
        return min((limit * 1000 for limit in limits if limit is not None), default=None)
