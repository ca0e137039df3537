"""What Thespian's ActorManager does for every message, done once: it cost more than the message's whole way.

Behaviour is the same. Only the counters of the status report are brought up to date when somebody asks for them, and
what is not an ordinary message, or goes wrong, goes through Thespian's own code.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from thespian.actors import ActorSystemMessage, ThespianWatch, WakeupMessage, WatchMessage
from thespian.system.actorManager import ActorManager

from squad.actors.transport.address import UnixAddress
from squad.actors.transport.unix import Letter, UnixTransport

_FOR_THE_MANAGER = (ActorSystemMessage, logging.LogRecord)
_FOR_THE_ACTOR = (WakeupMessage, WatchMessage)


class HotPath(ActorManager):  # type: ignore[misc]
    transport: UnixTransport
    actorInst: Any  # noqa: N815
    _ordinary: ClassVar[dict[type, bool]] = {}  # by the class of a message; what a process has met
    _received = _sent = 0  # not in the counters yet
    threads_may_send = True  # to whoever has said where it listens

    def handleMessages(self, envelope: Any) -> Any:  # noqa: N802
        message, sender = envelope._message, envelope._sender
        if getattr(self, "_exiting", False) or not self._is_ordinary(type(message)):
            return super().handleMessages(envelope)
        self._received += 1
        if "eqOverride" not in sender.__dict__:  # the same object comes with all messages of a connection
            self._addrManager.importAddr(sender)
        try:
            result = self.actorInst.receiveMessage(message, sender)
        except Exception as error:  # Thespian's way with it: once more, then back to the sender
            go_on = self._handle_again(envelope, error)
        else:
            self.transport.set_watch(result.filenos if isinstance(result, ThespianWatch) else [])
            go_on = True
        while go_on and self._receiveQueue:
            go_on = self._handleOneMessage(self._receiveQueue.pop(0))
        return go_on

    def _is_ordinary(self, kind: type) -> bool:
        ordinary = self._ordinary.get(kind)
        if ordinary is None:
            ordinary = self._ordinary[kind] = kind in _FOR_THE_ACTOR or not issubclass(kind, _FOR_THE_MANAGER)
        return ordinary

    def _handle_again(self, envelope: Any, error: Exception) -> Any:
        actor = self.actorInst
        self.actorInst = _Failed(actor, error)
        try:
            return self._handleOneMessage(envelope)
        finally:
            self.actorInst = actor

    def actor_send(self, targetAddr: Any, msg: Any) -> None:  # noqa: N803
        details = targetAddr._aaddr
        if type(details) is not UnixAddress:
            exported = self._addrManager.exportAddr(targetAddr)
            if exported is None:  # a child that has not said yet where it listens
                super().actor_send(targetAddr, msg)
                return
            targetAddr, details = exported, exported._aaddr  # noqa: N806
        try:
            self.transport.post(details.path, msg, Letter(targetAddr, msg, self.actor_send_fail))
        except Exception:  # an address inside is not known yet, or it cannot be pickled
            super().actor_send(targetAddr, msg)
        else:
            self._sent += 1

    def getActorStatus(self) -> Any:  # noqa: N802
        for names, count in (
            (("Actor.Message Received.Total", "Actor.Message Received.To Actor"), self._received),
            (("Actor.Message Send.Generated", "Actor.Message Send.Transmit Started"), self._sent),
        ):
            for name in names:
                self._sCBStats._kv[name] = self._sCBStats._kv.get(name, 0) + count
        self._received = self._sent = 0
        return super().getActorStatus()


class _Failed:
    """Stands for an actor whose first attempt at a message has raised ``error`` already."""

    def __init__(self, actor: Any, error: Exception) -> None:
        self._actor, self._error = actor, error

    def receiveMessage(self, message: Any, sender: Any) -> Any:  # noqa: N802
        self.receiveMessage = self._actor.receiveMessage  # type: ignore[method-assign]
        raise self._error
