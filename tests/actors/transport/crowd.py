"""Actors that send a great deal, or in odd ways, for the tests of what the transport guarantees."""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

from thespian.actors import Actor as PlainActor

from squad.actors.base import Actor, Address, receives
from tests.actors.transport.cast import Echo, Family, LastWords


@dataclass(frozen=True, slots=True)
class FloodEachOther:
    """Have an actor send ``number`` Drop to ``peer``, which does the same; answered with Ready, when all have come."""

    peer: Address
    number: int


@dataclass(frozen=True, slots=True)
class Drop:
    index: int
    of: int


@dataclass(frozen=True, slots=True)
class Ready:
    in_order: bool


class Flooder(Actor):
    def __init__(self) -> None:
        super().__init__()
        self.client: Address = None
        self.sent = self.came = 0
        self.in_order = True

    @receives(FloodEachOther)
    def on_flood(self, msg: FloodEachOther, sender: Address) -> None:
        self.client = sender
        self.flood(msg.peer, msg.number)

    @receives(Drop)
    def on_drop(self, msg: Drop, sender: Address) -> None:
        if not self.sent:
            self.flood(sender, msg.of)
        self.in_order &= msg.index == self.came
        self.came += 1
        if self.came == msg.of:
            self.tell(sender, Ready(self.in_order))

    @receives(Ready)
    def on_ready(self, msg: Ready, sender: Address) -> None:
        """The peer has all. It was told so behind all of the peer's own, so this actor has all as well."""
        if self.client is not None:
            self.tell(self.client, Ready(msg.in_order and self.in_order and self.came == self.sent))

    def flood(self, peer: Address, number: int) -> None:
        self.sent = number
        for index in range(number):
            self.tell(peer, Drop(index, number))


@dataclass(frozen=True, slots=True)
class SayAndDie:
    """Have a mourner's first child tell it this many last words in a while, and kill itself once they are written."""

    words: int


class Mortal(Echo):
    @receives(SayAndDie)
    def on_say_and_die(self, msg: SayAndDie, sender: Address) -> None:
        self.mourner = sender
        self.after(0.3, msg.words)

    def on_timer(self, token: int) -> None:
        if token == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        for number in range(token):
            self.tell(self.mourner, LastWords(number))
        self.after(0.02, 0)


class Mourner(Family):
    @receives(SayAndDie)
    def on_say_and_die(self, msg: SayAndDie, sender: Address) -> None:
        self.client = sender
        self.tell(self.children[0], msg)


@dataclass(frozen=True, slots=True)
class SendFromThreads:
    """Have ``threads`` threads send ``number`` (name of the thread, number) each to the sender."""

    threads: int
    number: int


class Threaded(PlainActor):  # type: ignore[misc]
    """A plain actor of Thespian, which lets other threads send."""

    def receiveMessage(self, msg: Any, sender: Any) -> None:
        if isinstance(msg, SendFromThreads):

            def send(name: int) -> None:
                for number in range(msg.number):
                    self.send(sender, (name, number))

            for name in range(msg.threads):
                threading.Thread(target=send, args=(name,)).start()


class Logging(PlainActor):  # type: ignore[misc]
    """Logs what it is told, and answers with its own address."""

    def receiveMessage(self, msg: Any, sender: Any) -> None:
        if isinstance(msg, str):
            logging.getLogger("of.the.actor").warning("told: %s", msg)
            self.send(sender, str(self.myAddress))


class Failing(PlainActor):  # type: ignore[misc]
    """Fails as often as it is told, and answers with how often it was called for that."""

    calls = 0

    def receiveMessage(self, msg: Any, sender: Any) -> None:
        if isinstance(msg, int):
            self.calls += 1
            if self.calls <= msg:
                raise RuntimeError("on purpose")
            self.send(sender, self.calls)
