"""What Thespian 4.0.1 gets wrong when processes die, each mended in one place.

- ``_childExited``: of several children that die at once all but one were forgotten, with their ChildActorExited.
- ``never_connected``: one that died at once was never reported, and its creator waited for 50 seconds.
- ``leave``: a graceful exit was reported twice, by the child and by the kernel. A child says no goodbye any more.
- ``Admin``: it crashed when its logger died. Here it has none: nothing of Squad's is logged through Thespian.
- ``run_admin``: the admin was a daemon which nobody watched. Here it stays the child of the process that started it.
- ``quieten``: the text of messages was formatted for, and written to, Thespian's log.

``processes`` has those that concern the making of a process: orphans, and descriptors left open.
"""

from __future__ import annotations

import logging
import os
import signal
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
from thespian.system.utilis import actualActorClass, checkActorCapabilities

from squad.actors.transport.hotpath import HotPath
from squad.actors.transport.processes import CRASHED, ChildProcess
from squad.actors.transport.unix import Endpoint, UnixTransport

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

    _child_procs: list[Any]
    _sourceHash: str | None  # noqa: N815
    capabilities: dict[str, Any]
    newest_child_pid: int | None = None  # of the child that was started last

    def init_replicator(self, transport: UnixTransport, concurrency_context: object) -> None:
        self.transport: UnixTransport = transport
        self.asLogger = transport.myAddress  # must not be None; there is no logger and nothing is sent to it
        self._child_procs = []
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
        process = ChildProcess(run_actor, (kind, endpoint, parentAddr, notifyAddr, self.capabilities))
        process.start()
        self.newest_child_pid = process.pid
        info = ChildInfo(childAddr, childClass, process, endpoint.number)
        info.path = endpoint.path
        self._child_procs.append(info)

    def childDied(self) -> bool:  # noqa: N802
        """After a SIGCHLD: report every child that is dead now, each once, behind what it has said."""
        dead = [info for info in self._child_procs if not info.childProc.is_alive()]
        self._child_procs = [info for info in self._child_procs if info not in dead]
        for info in dead:
            Path(info.path).unlink(missing_ok=True)
            self.transport.read_the_last_of(info.path)
            if hasattr(info, "childRealAddr"):
                self.transport.deliver(ChildActorExited(info.childRealAddr))
            else:
                self.never_connected(info)
        return True

    def never_connected(self, info: Any) -> None:
        raise NotImplementedError

    def _childExited(self, childAddr: Any) -> None:  # noqa: N802, N803
        """Thespian asks once more who is alive, and forgets all that are not. ``childDied`` has seen to it."""

    def h_EndpointConnected(self, envelope: Any) -> bool:  # noqa: N802
        """A child says where it listens. One that died meanwhile has been reported: it is not made a child again."""
        for info in self._child_procs:
            if info.childNum == envelope.message.childInstance:
                info.childRealAddr = envelope.sender
                self._pendingActorReady(info.childNum, envelope.sender)  # type: ignore[attr-defined]
        return True


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

    announcement: Any

    def run(self) -> None:
        """Make the actor, tell its parent that it listens, and handle messages."""
        if not hasattr(self._actorClass, "begin"):
            self.transport.scheduleTransmit(None, self.announcement)
            super().run()
            return
        self.actorInst = self._actorClass()
        self.actorInst._myRef = self
        self.transport.scheduleTransmit(None, self.announcement)
        self.actorInst.begin()
        self.transport.run(self.handleMessages)

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


def run_actor(kind: _Kind, endpoint: Endpoint, parent: Any, notify: Any, capabilities: Any) -> None:
    """The life of an actor's process. ``notify`` is told once it listens."""
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
    signal.signal(signal.SIGCHLD, manager.signalChildDied)
    manager.announcement = TransmitIntent(notify, EndpointConnected(endpoint.number))
    try:
        manager.run()
    except Exception:
        log.exception("%s crashed", name)
        manager.leave(CRASHED, farewell=0.2)
    manager.leave(0)
