"""Thespian's TCP transport over Unix-domain stream sockets: no network, and no bytes but the same user's.

A thin subclass. What differs from TCPTransport:

- A connection carries one message and its acknowledgement. Kept connections cost a descriptor a pair, are watched in
  every round of the loop, and break (with a retry after 35 s) when both ends send at once.
- Messages wait in one lane for each target, in order, one at a time on its way. Thespian has 20 in flight for all
  targets together, so one stopped process holds up everybody, stops to receive at 950 waiting, and drops at 1,050.
- Names are never used again, so a target that refuses once is dead for good.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress
from thespian.system.timing import ExpirationTimer
from thespian.system.transport import (
    ExternalInterfaceTransportInit,
    SendStatus,
    Thespian__UpdateWork,
    TransmitIntent,
    TransmitOnly,
)
from thespian.system.transport.streamBuffer import ReceiveBuffer
from thespian.system.transport.TCPTransport import TCPIncoming, TCPTransport, serializer
from thespian.system.utilis import thesplog

from squad.actors.transport.address import UnixAddress
from squad.actors.transport.folder import SocketFolder
from squad.actors.transport.processes import belongs_to_parent

FOLDER = "Squad Socket Folder"  # the capability that carries the SocketFolder
ADMIN = "Squad Admin"  # the capability that carries what the admin is bound to

_BACKLOG = 4096  # connections the kernel holds for a busy actor
_ACCEPTS = 100  # connections taken in one round of the loop
_CHUNK = 256 * 1024  # bytes; about what a Unix socket holds
_RETRY = timedelta(milliseconds=20)  # after a broken connection, times the number of tries so far
_FULL = timedelta(milliseconds=10)  # until a full backlog is tried again
_DEAD = {errno.ENOENT, errno.ECONNREFUSED}
_NOT_NOW = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR}


@dataclass(frozen=True)
class Endpoint:
    """Made by a parent for its child: what the child's transport needs. ``addrInst`` is Thespian's name."""

    addrInst: int | None  # noqa: N815
    path: str
    parent: Any
    admin: Any
    folder: SocketFolder


@dataclass(frozen=True)
class Outsider:
    """For a short-lived transport of a process that is no actor."""

    admin: Any
    folder: SocketFolder


class UnixTransport(TCPTransport):  # type: ignore[misc]
    def __init__(self, init: object, *args: Any) -> None:
        super(TCPTransport, self).__init__()
        if isinstance(init, ExternalInterfaceTransportInit):
            capabilities = args[0]
            init = Outsider(self.getAdminAddr(capabilities), capabilities[FOLDER])
        if isinstance(init, Endpoint):
            path, self._parentAddr = init.path, init.parent
        elif isinstance(init, Outsider):
            path, self._parentAddr = init.folder.fresh(), None
        else:
            raise TypeError(f"a transport cannot be made from {init!r}")
        self.folder = init.folder
        self._adminAddr = init.admin
        self.txOnly = False
        self.myAddress = ActorAddress(UnixAddress(path))
        self._owner = os.getpid()
        self._lanes: dict[UnixAddress, deque[Any]] = {}
        self._transmitIntents: dict[int, Any] = {}
        self._waitingTransmits: list[Any] = []
        self._incomingSockets: dict[int, Any] = {}
        self._incomingEnvelopes: list[Any] = []
        self._finished_intents: list[Any] = []
        self._watches: list[int] = []
        self._checkChildren = False
        self._shutdownSignalled = False
        self.run_time = ExpirationTimer(None)
        self.socket = socket.socket(*self.myAddress.addressDetails.socketArgs)
        self.socket.setblocking(False)
        self.socket.bind(path)
        self.socket.listen(_BACKLOG)
        belongs_to_parent(self)

    # -- life -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop listening and remove the socket file. Idempotent; what was not sent yet is dropped."""
        if getattr(self, "socket", None) is None:
            return
        if self._owner == os.getpid():
            Path(self.myAddress.addressDetails.path).unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Close this process's copies of the sockets. No shutdown(): the parent goes on using its own."""
        for holder in (*self._transmitIntents.values(), *self._incomingSockets.values()):
            if holder.socket is not None:
                holder.socket.close()
        self._transmitIntents, self._incomingSockets = {}, {}
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def external_transport_clone(self) -> UnixTransport:
        return UnixTransport(Outsider(self._adminAddr, self.folder))

    # -- addresses --------------------------------------------------------------------------------------------------

    @staticmethod
    def getAdminAddr(capabilities: dict[str, Any]) -> Any:  # noqa: N802 - Thespian's names from here on
        return ActorAddress(UnixAddress(capabilities[ADMIN]))

    @staticmethod
    def getConventionAddress(capabilities: dict[str, Any]) -> None:  # noqa: N802
        return None

    @staticmethod
    def getAddressFromString(addrspec: object, adminRouting: bool = False) -> Any:  # noqa: N802, N803
        raise NotImplementedError("an actor of this system has no address that can be typed")

    @staticmethod
    def probeAdmin(addr: Any) -> bool:  # noqa: N802
        with socket.socket(*addr.addressDetails.socketArgs) as probe:
            return probe.connect_ex(*addr.addressDetails.connectArgs) == 0

    def prepEndpoint(self, assignedLocalAddr: Any, capabilities: dict[str, Any]) -> Endpoint:  # noqa: N802, N803
        details = assignedLocalAddr.addressDetails
        if isinstance(details, UnixAddress):
            return Endpoint(None, details.path, self.myAddress, self._adminAddr, self.folder)
        return Endpoint(
            details.addressInstanceNum, self.folder.fresh(), self.myAddress, self._adminAddr, self.folder
        )

    # -- sending ----------------------------------------------------------------------------------------------------

    def pending(self) -> bool:
        """Whether anything waits to be sent or acknowledged."""
        return bool(self._lanes)

    def drain(self, seconds: float) -> None:
        """Send what waits, for ``seconds`` at most; receive nothing."""
        self.set_watch([])
        limit = ExpirationTimer(seconds)
        while self.pending() and not limit.view().expired():
            self.run(TransmitOnly, limit.view().remaining())

    def _schedulePreparedIntent(self, intent: Any, has_exclusive_flag: bool = False) -> None:  # noqa: N802
        if isinstance(intent.message, Thespian__UpdateWork):
            intent.tx_done(SendStatus.Sent)
            return
        intent.transmit_retry_period = _RETRY
        lane = self._lanes.setdefault(intent.targetAddr.addressDetails, deque())
        lane.append(intent)
        if len(lane) == 1:
            self._scheduleTransmitActual(intent)

    def _finishIntent(self, intent: Any, status: Any = SendStatus.Sent) -> bool:  # noqa: N802
        target = intent.targetAddr.addressDetails
        self._close_socket_of(intent)
        self._finished_intents.append((intent, status))
        lane = self._lanes[target]
        lane.popleft()
        if status == SendStatus.DeadTarget:
            self._finished_intents.extend((waiting, status) for waiting in lane)
            lane.clear()
        if status != SendStatus.Sent:
            self.interrupt_wait()  # the loop looks at finished intents after its next event only
        if lane:
            self._scheduleTransmitActual(lane[0])
        else:
            del self._lanes[target]
        return False

    def deadAddress(self, addressManager: Any, childAddr: Any) -> None:  # noqa: N802, N803
        address = addressManager.exportAddr(childAddr)
        lane = self._lanes.get(address.addressDetails) if address is not None else None
        if lane:
            first = lane[0]
            self._waitingTransmits = [intent for intent in self._waitingTransmits if intent is not first]
            self._transmitIntents = {fd: i for fd, i in self._transmitIntents.items() if i is not first}
            self._finishIntent(first, SendStatus.DeadTarget)

    def _next_XMIT_1(self, intent: Any) -> bool:  # noqa: N802
        """Connect, and send what the socket takes at once: a Unix socket is connected immediately or not at all."""
        try:
            intent.socket = socket.socket(*intent.targetAddr.addressDetails.socketArgs)
            intent.socket.setblocking(False)
            intent.socket.connect(*intent.targetAddr.addressDetails.connectArgs)
        except OSError as error:
            if error.errno in _DEAD:
                return self._finishIntent(intent, SendStatus.DeadTarget)
            if error.errno not in _NOT_NOW:
                thesplog("cannot connect to %s: %s", intent.targetAddr, error)
            self._close_socket_of(intent)
            intent._retryTime = ExpirationTimer(_FULL)  # until the intent expires: the target lives, but is busy
            return True
        intent.amtSent = 0
        intent.stage = self._XMITStepSendData
        return self._next_XMIT_2(intent)

    def _next_XMIT_2(self, intent: Any) -> bool:  # noqa: N802
        try:
            while intent.amtSent < len(intent.serMsg):
                intent.amtSent += intent.socket.send(memoryview(intent.serMsg)[intent.amtSent :])
        except OSError as error:
            return True if error.errno in _NOT_NOW else self._try_again(intent)
        intent.ackbuf = ReceiveBuffer(serializer.loads)
        intent.stage = self._XMITStepWaitForAck
        return True

    def _next_XMIT_4(self, intent: Any) -> bool:  # noqa: N802
        try:
            received = intent.socket.recv(_CHUNK)
        except OSError as error:
            return True if error.errno in _NOT_NOW else self._try_again(intent)
        return self._check_XMIT_4_done(intent, received) if received else self._try_again(intent)

    def _try_again(self, intent: Any) -> bool:
        intent.stage = self._XMITStepRetry
        kept: bool = self._next_XMIT_6(intent)
        return kept

    @staticmethod
    def _close_socket_of(intent: Any) -> None:
        if getattr(intent, "socket", None) is not None:
            intent.socket.close()
            del intent.socket

    # -- receiving --------------------------------------------------------------------------------------------------

    def _acceptNewIncoming(self) -> None:  # noqa: N802
        for _ in range(_ACCEPTS):
            try:
                accepted, _address = self.socket.accept()
            except BlockingIOError:
                break
            except OSError as error:
                thesplog("cannot accept: %s", error)
                break
            accepted.setblocking(False)
            if not is_same_user(accepted):
                thesplog("refused a connection from another user")
                accepted.close()
                continue
            incoming = self._handleReadableIncoming(TCPIncoming(ActorAddress(None), accepted))
            if incoming:
                self._incomingSockets[accepted.fileno()] = incoming
        self._check_indicators()

    def _handleReadableIncoming(self, inc: Any, has_exclusive_flag: bool = False) -> Any:  # noqa: N802
        """Read all there is of a message. Returns ``inc`` while more must come, None when the connection is done."""
        try:
            while not inc.receivedAllData():
                data = inc.socket.recv(_CHUNK)
                if not data:
                    inc.close()
                    return None
                inc.addData(data)
        except OSError as error:
            if error.errno in _NOT_NOW:
                return inc
            inc.close()
            return None
        except ValueError:  # not a frame
            thesplog("closed a connection that does not speak the protocol")
            inc.close()
            return None
        try:
            return self._addedDataToIncoming(inc)
        except OSError:  # the sender is gone before its acknowledgement; the message is here all the same
            return None

    def interrupt_wait(self, signal_shutdown: bool = False, check_children: bool = False) -> None:
        """Have the loop look up. Safe in a signal handler."""
        self._shutdownSignalled |= signal_shutdown
        self._checkChildren |= check_children
        with contextlib.suppress(OSError), socket.socket(*self.myAddress.addressDetails.socketArgs) as knock:
            knock.setblocking(False)
            knock.connect(*self.myAddress.addressDetails.connectArgs)


def is_same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end runs as this process's user. The kernel says so, not the peer."""
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.geteuid())
