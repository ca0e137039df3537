"""The agents that are measured."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from squad import Agent, Context, handles, message
from squad.benchmark.moments import RECORD

SIZE = 200
"""Bytes of a message's payload, as JSON text."""

METRONOME = "metronome"
FILL = "x" * (SIZE - len('{"data":""}'))


@message("noop")
class Noop:
    data: str


@message("ping")
class Ping:
    """``sent`` is the sender's monotonic clock, which is the same in all processes of a machine."""

    sent: float
    data: str


@message("relay")
class Relay:
    """Asks for one ping to ``to``."""

    to: str
    data: str


@message("hop")
class Hop:
    """Is passed on ``left`` more times, ``stride`` agents further each time."""

    left: int
    stride: int
    data: str


@message("tick")
class Tick:
    """The metronome's own: send ``each`` pings now, and ``left`` more times every ``period`` seconds."""

    number: int
    left: int
    begin: float  # monotonic
    period: float
    each: int


@message("clock")
class Clock:
    pass


def filled(size: int) -> str:
    """The data of a message whose other fields take ``size`` bytes of JSON."""
    return "x" * max(0, SIZE - size)


_PING = filled(45)
_SOON = 0.05  # seconds until the metronome's first beat


class Worker(Agent):
    """``a0``, ``a1``, … Options: ``agents``, how many there are; ``moments``, the folder for what it records."""

    def start(self) -> None:
        self._agents = int(self.options["agents"])
        self._file = -1

    def stop(self) -> None:
        if self._file >= 0:
            os.close(self._file)

    @handles(Noop)
    def noop(self, msg: Noop, ctx: Context) -> None:
        """Nothing: what is left is the runtime's own cost."""

    @handles(Ping)
    def ping(self, msg: Ping, ctx: Context) -> None:
        """One system call of some microseconds, so that measuring does not weigh on what is measured."""
        began = time.monotonic()
        if self._file < 0:
            path = Path(self.options["moments"]) / f"{ctx.agent}.{os.getpid()}"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(self._file, RECORD.pack(msg.sent, began))

    @handles(Relay)
    def relay(self, msg: Relay, ctx: Context) -> None:
        ctx.send(msg.to, Ping(time.monotonic(), _PING))

    @handles(Hop)
    def hop(self, msg: Hop, ctx: Context) -> None:
        if msg.left:
            there = (int(ctx.agent[1:]) + msg.stride) % self._agents
            ctx.send(f"a{there}", Hop(msg.left - 1, msg.stride, msg.data))

    @handles(Clock)
    def clock(self, msg: Clock, ctx: Context) -> float:
        """When the handler began."""
        return time.monotonic()


class Metronome(Agent):
    """Sends to the workers at a steady rate, without anybody outside. It sleeps in its handler until the next send."""

    @handles(Tick)
    def tick(self, msg: Tick, ctx: Context) -> None:
        agents = int(self.options["agents"])
        due = msg.begin + msg.number * msg.period
        early = due - time.monotonic()
        if early > 0:
            time.sleep(early)
        for number in range(msg.each):
            # A ping that is late because the tick was late counts from when it was due.
            sent = time.monotonic() if early > 0 else due
            ctx.send(f"a{(msg.number * msg.each + number) % agents}", Ping(sent, _PING))
        if msg.left:
            ctx.send(ctx.agent, Tick(msg.number + 1, msg.left - 1, msg.begin, msg.period, msg.each))


def noop(agent: int) -> dict[str, Any]:
    """One for ``Client.send_many``."""
    return {"recipient": f"a{agent}", "type": "noop", "payload": {"data": FILL}}


def ping(agent: int, sent: float) -> dict[str, Any]:
    return {"recipient": f"a{agent}", "type": "ping", "payload": {"sent": sent, "data": _PING}}


def relay(agent: int, to: int) -> dict[str, Any]:
    data = filled(25)
    return {"recipient": f"a{agent}", "type": "relay", "payload": {"to": f"a{to}", "data": data}}


def hop(agent: int, left: int, stride: int) -> dict[str, Any]:
    data = filled(35)
    return {"recipient": f"a{agent}", "type": "hop", "payload": {"left": left, "stride": stride, "data": data}}


def clock(agent: int) -> dict[str, Any]:
    return {"recipient": f"a{agent}", "type": "clock", "payload": {}}


def ticks(count: int, rate: float, each: int) -> dict[str, Any]:
    """Sets the metronome going: ``count`` pings, ``rate`` a second, ``each`` at a time."""
    left = max(1, count // each) - 1
    fields = {"number": 0, "left": left, "begin": time.monotonic() + _SOON, "period": each / rate, "each": each}
    return {"recipient": METRONOME, "type": "tick", "payload": fields}
