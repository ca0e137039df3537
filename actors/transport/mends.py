"""What Thespian 4.0.1 gets wrong when processes die, each mended in one place.

- ``_handleChildExited``: of several children that die at once all but one were forgotten, with their ChildActorExited.
- ``never_connected``: one that died at once was never reported, and its creator waited for 50 seconds.
- ``leave``: a graceful exit was reported twice, by the child and by the kernel. A child says no goodbye any more.
- ``Admin``: it crashed when its logger died. Here it has none: nothing of Squad's is logged through Thespian.
- ``run_admin``: the admin was a daemon which nobody watched. Here it stays the child of the process that started it.
- ``quieten``: the text of messages was formatted for, and written to, Thespian's log.

``processes`` has those that concern the making of a process: orphans, and descriptors left open.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from _signal import signal as set_handler
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from setproctitle import setproctitle
from thespian.actors import ChildActorExited, NoCompatibleSystemForActor
from thespian.system.messages.admin import NotifyOnSourceAvailability, PendingActorResponse
from thespian.system.messages.multiproc import EndpointConnected
from thespian.system.multiprocCommon import ChildInfo, MultiProcAdmin, MultiProcManager
from thespian.system.sourceLoader import loadModuleFromHashSource
from thespian.system.transport import ReceiveEnvelope, TransmitIntent
from thespian.system.utilis import actualActorClass, checkActorCapabilities, thesplog

from squad.actors.transport import records
from squad.actors.transport.hotpath import HotPath
from squad.actors.transport.offspring import Addresses, Awaited, Children
from squad.actors.transport.processes import CRASHED, ChildProcess
from squad.actors.transport.unix import Endpoint, Letter, UnixTransport

_FAREWELL = 2.0  # seconds for the last messages of a process that ends in order

log = logging.getLogger("squad.actors")


def quieten() -> None:
    """Name messages in Thespian's log by their type. It formatted every message, logged or not."""
    TransmitIntent.identify = lambda self: f"{type(self.message).__name__} to {self.targetAddr}"
    ReceiveEnvelope.identify = lambda self: f"{type(self.message).__name__} from {self.sender}"


class _NoThrottle:
    """Stands for Thespian's RateThrottle, which sleeps inside send() from 4,480 messages a second."""

    def eventRatePause(self, curtime: object) -> None:  # noqa: N802
        pass


class _Kind(NamedTuple):
    """What a child shall be, in Thespian's terms."""

    actor_class: Any  # or its name
    global_name: str | None
    source_hash: str | None
    source: Any
    requirements: Any


class MendedParent:
    """The part of an admin or an actor that starts children and learns of their ends."""

    _adminAddr: Any  # noqa: N815
    _sourceHash: str | None  # noqa: N815
    capabilities: dict[str, Any]
    newest_child_pid: int | None = None  # of the child that was started last
    first_message: object = None  # for the child that is started next
    _held: list[Any] | None = None  # the ChildInfo of children that are forked together, once all are prepared

    def init_replicator(self, transport: UnixTransport, concurrency_context: object) -> None:
        self.transport: UnixTransport = transport
        self.asLogger = transport.myAddress  # must not be None; there is no logger and nothing is sent to it
        self._by_pid: dict[int, Any] = {}  # the ChildInfo of each living child
        self._by_number: dict[int, Any] = {}
        self._children = Children()
        self._awaitingAddressUpdate = Awaited()
        self._addrManager = Addresses(self._adminAddr, transport.myAddress)
        self._governer: object = _NoThrottle()

    def _startChildActor(  # noqa: N802, PLR0913, PLR0917 - Thespian's
        self,
        childAddr: Any,  # noqa: N803
        childClass: Any,  # noqa: N803
        globalName: str | None,  # noqa: N803
        parentAddr: Any,  # noqa: N803
        notifyAddr: Any,  # noqa: N803
        childRequirements: object = None,  # noqa: N803
        sourceHash: str | None = None,  # noqa: N803
        sourceToLoad: object = None,  # noqa: N803
    ) -> None:
        find = partial(loadModuleFromHashSource, sourceHash, {sourceHash: sourceToLoad}) if sourceHash else None
        if not checkActorCapabilities(childClass, self.capabilities, childRequirements, find):
            raise NoCompatibleSystemForActor(childClass, "no system has compatible capabilities")
        kind = _Kind(childClass, globalName, sourceHash or self._sourceHash, sourceToLoad, childRequirements)
        endpoint = self.transport.endpoint_for(childAddr.addressDetails.addressInstanceNum)
        first, self.first_message = self.first_message, None
        process = ChildProcess(run_actor, (kind, endpoint, parentAddr, notifyAddr, self.capabilities, first))
        info = ChildInfo(childAddr, childClass, process, endpoint.number)
        info.path = endpoint.path
        if self._held is not None:
            self._held.append(info)
            return
        process.start()
        self.newest_child_pid = process.pid
        self._by_pid[process.pid] = self._by_number[info.childNum] = info

    def hold_births(self) -> None:
        """Only prepare the children that are created from now on, until ``fork_held``."""
        self._held = []

    def fork_held(self) -> dict[int, int]:
        """Fork them. The pids by the children's numbers, without those for which there was no room."""
        held, self._held = self._held or [], None
        for info in held:
            with contextlib.suppress(OSError):
                info.childProc.start()
        for info in held:
            if info.childProc.pid:
                self._by_pid[info.childProc.pid] = self._by_number[info.childNum] = info
            else:  # as Thespian does when a child cannot be started
                thesplog("no process could be forked for %s", info.childClass, level=logging.ERROR)
                self._retryPendingChildOperations(info.childNum, None)  # type: ignore[attr-defined]
        return {info.childNum: info.childProc.pid for info in held if info.childProc.pid}

    def childDied(self) -> bool:  # noqa: N802
        """After a SIGCHLD: report every child that is dead now, each once, behind what it has said."""
        for info in self._dead():
            del self._by_pid[info.childProc.pid], self._by_number[info.childNum]
            Path(info.path).unlink(missing_ok=True)
            self.transport.read_the_last_of(info.path)
            if hasattr(info, "childRealAddr"):
                exited = ChildActorExited(info.childRealAddr)
                exited.pid = info.childProc.pid
                self.transport.deliver(exited)
            else:
                self.never_connected(info)
        return True

    def _dead(self) -> Iterator[Any]:
        """The children that have ended, without asking after each of a thousand."""
        found: Any = None
        while self._by_pid:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:  # there is no child at all any more
                found = None
            info = self._by_pid.get(found.si_pid) if found is not None else None
            if info is None or info.childProc.is_alive():
                break
            yield info
        if found is not None:  # a dead process of somebody else's, such as a program, may hide others behind it
            yield from [info for info in self._by_pid.values() if not info.childProc.is_alive()]

    def never_connected(self, info: Any) -> None:
        raise NotImplementedError

    def h_EndpointConnected(self, envelope: Any) -> bool:  # noqa: N802
        """A child says where it listens. One that died meanwhile has been reported: it is not made a child again."""
        info = self._by_number.get(envelope.message.childInstance)
        if info is not None:
            info.childRealAddr = envelope.sender
            self._pendingActorReady(info.childNum, envelope.sender)  # type: ignore[attr-defined]
        return True

    def _handleChildExited(self, childAddress: Any) -> bool:  # noqa: N802, N803
        """As Thespian's, which searches all children, and then asks once more who is alive and forgets who is not."""
        self.transport.deadAddress(self._addrManager, childAddress)
        self._children.remove(childAddress)
        if not hasattr(self, "_exiting") or self._children:
            return True
        if not hasattr(self, "_exitedAlready"):
            self._exitedAlready = True
            self._sayGoodbye()  # type: ignore[attr-defined]
            self.transport.abort_run(drain=True)
        return False


class Admin(MendedParent, MultiProcAdmin):  # type: ignore[misc]
    def never_connected(self, info: Any) -> None:
        """Answer who asked for the actor."""
        for request in self._pendingChildren.pop(info.childNum, ()):
            self._sendPendingActorResponse(
                request,
                None,
                errorCode=PendingActorResponse.ERROR_Invalid_ActorClass,
                errorStr=f"its process ended with status {info.childProc.exitcode} before it was ready",
            )


class Manager(MendedParent, HotPath, MultiProcManager):  # type: ignore[misc]
    """Runs one actor: Squad's, which has ``begin`` called before its first message, or a plain one of Thespian."""

    announcement: Letter
    inherited: object = None  # its first message, which it has from its parent's memory

    def run(self) -> None:
        """Make the actor, tell its parent that it listens, and handle messages."""
        if not hasattr(self._actorClass, "begin"):
            self._announce()
            super().run()
            return
        self.begin()
        self.transport.run(self.handleMessages)

    def begin(self) -> None:
        """Make an actor of Squad, and let it begin."""
        self.actorInst = self._actorClass()
        self.actorInst._myRef = self
        self._announce()
        self.actorInst.begin()
        if self.inherited is not None:
            self.transport.deliver(self.inherited, self._parentAddr)

    def _announce(self) -> None:
        letter = self.announcement
        self.transport.post(letter.targetAddr.addressDetails.path, letter.message, letter)

    def never_connected(self, info: Any) -> None:
        """Its ChildActorExited bears the only address that this actor knows, and what waited for it is dropped."""
        self._retryPendingChildOperations(info.childNum, None)

    def actor_send_fail(self, result: Any, intent: Any) -> None:
        """Thespian has the admin keep what could not be delivered, for a handler of dead letters. Squad has none, and
        the transport has noted the loss."""
        if not hasattr(self._actorClass, "begin"):
            super().actor_send_fail(result, intent)

    def _sayGoodbye(self) -> None:  # noqa: N802
        """Whoever forked this process learns of its end from the kernel, and tells the parent, if that is another."""
        if self._srcNotifyEnabled:
            message = NotifyOnSourceAvailability(self.transport.myAddress, False)
            self._send_intent(TransmitIntent(self._adminAddr, message))

    def leave(self, status: int, farewell: float = _FAREWELL) -> None:
        """Send what waits, for ``farewell`` seconds at most, and end this process."""
        try:
            self.transport.drain(farewell)
            self.transport.close()
            logging.shutdown()
        finally:
            os._exit(status)


def run_admin(endpoint: Endpoint, starter: Any, capabilities: dict[str, Any]) -> None:
    """The life of the admin's process. ``starter`` is told once it serves."""
    setproctitle("squad: admin")
    # The admin calls logging.info(), which prints to the terminal where the root logger has no handler. In actors it
    # stays without one: what goes wrong before their logging is set up is said on standard error.
    logging.root.addHandler(logging.NullHandler())
    transport = UnixTransport(endpoint)
    no_logging = no_context = None
    admin = Admin(transport, endpoint.admin, capabilities, no_logging, no_context)
    signal.signal(signal.SIGCHLD, admin.signalChildDied)
    transport.scheduleTransmit(None, TransmitIntent(starter, EndpointConnected(0)))
    admin._activate()
    admin.run()
    transport.close()


def nobody_is_there(status: Any, letter: Letter) -> None:
    """The parent is gone, and this process with it."""


def run_actor(  # noqa: PLR0913, PLR0917 - what Thespian's parents hand over, and one more
    kind: _Kind, endpoint: Endpoint, parent: Any, notify: Any, capabilities: Any, first: object
) -> None:
    """The life of an actor's process. ``notify`` is told once it listens; ``first`` is its first message, or None."""
    name = getattr(kind.actor_class, "__name__", str(kind.actor_class).rpartition(".")[2])
    setproctitle(f"squad: {name.lower()}")
    transport = UnixTransport(endpoint)
    no_context = no_logging = None
    manager = Manager(
        kind.actor_class if kind.source_hash else actualActorClass(kind.actor_class),
        kind.global_name,
        transport,
        kind.source_hash,
        kind.source,
        parent,
        endpoint.admin,
        kind.requirements,
        capabilities,
        no_context,
        no_logging,
    )
    set_handler(signal.SIGCHLD, manager.signalChildDied)
    if endpoint.logs is not None:
        records.configure(endpoint.logs, transport.myAddress)
    manager.announcement = Letter(notify, EndpointConnected(endpoint.number), nobody_is_there)
    manager.inherited = first
    try:
        manager.run()
    except Exception:
        log.exception("%s crashed", name)
        manager.leave(CRASHED, farewell=0.2)
    manager.leave(0)
