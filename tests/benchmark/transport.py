"""How fast messages between actors are: Squad's system base and Thespian's multiprocTCPBase in turn, and their ratios.

    python -m tests.benchmark.transport [--rounds 3]

The same actors, plain ones of Thespian, through Thespian's own interface on both. Each figure is the best of the
rounds; machines differ and are shared, so only the ratios of one run mean something. The TCP base listens on all
interfaces while it runs, and unpickles what comes: do not run this where strangers can reach the machine.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thespian.actors import Actor, ActorSystem

BURST = 5000  # messages
ROUND_TRIPS = {"unix": 3000, "tcp": 300}
IN_FLIGHT = {"unix": 20_000, "tcp": 1000}
ASKS = {"unix": 1000, "tcp": 200}


@dataclass(frozen=True)
class Exchange:
    """Have an actor exchange ``count`` messages with ``peer``, ``together`` at a time; answered with the seconds."""

    peer: Any
    count: int
    together: int


@dataclass(frozen=True)
class Burst:
    """Have an actor send ``count`` messages to ``peer`` at once; answered with the seconds until all have come."""

    peer: Any
    count: int


@dataclass(frozen=True)
class Ball:
    number: int
    payload: bytes = b"x" * 200


@dataclass(frozen=True)
class Drop:
    """Not answered but the last."""

    last: bool
    payload: bytes = b"x" * 200


class Player(Actor):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.client: Any = None
        self.left = self.out = 0
        self.began = 0.0

    def receiveMessage(self, msg: Any, sender: Any) -> None:
        if isinstance(msg, Ball):
            if self.client is None:
                self.send(sender, msg)
            else:
                self.returned(sender)
        elif isinstance(msg, Drop):
            if msg.last:
                self.send(sender, "all have come")
        elif isinstance(msg, Exchange):
            self.client, self.left, self.out = sender, msg.count, msg.together
            self.began = time.perf_counter()
            for number in range(msg.together):
                self.send(msg.peer, Ball(number))
        elif isinstance(msg, Burst):
            self.client, self.began = sender, time.perf_counter()
            for number in range(msg.count):
                self.send(msg.peer, Drop(number == msg.count - 1))
        elif msg == "all have come":
            self.finish()
        elif msg == "hello":
            self.send(sender, "hello")

    def returned(self, peer: Any) -> None:
        self.left -= 1
        if self.left >= self.out:
            self.send(peer, Ball(self.left))
        elif self.left == 0:
            self.finish()

    def finish(self) -> None:
        self.send(self.client, time.perf_counter() - self.began)
        self.client = None


@contextmanager
def unix() -> Iterator[ActorSystem]:
    from squad.actors.transport.folder import open_folder
    from squad.actors.transport.system_base import FOLDER, register

    with tempfile.TemporaryDirectory() as home:
        folder = open_folder(Path(home) / "run")
        system = ActorSystem(register(), capabilities={FOLDER: folder}, transientUnique=True)
        try:
            yield system
        finally:
            system.shutdown()
            folder.close()


@contextmanager
def tcp() -> Iterator[ActorSystem]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    capabilities = {"Admin Port": port, "Admin Address": "127.0.0.1"}
    system = ActorSystem("multiprocTCPBase", capabilities=capabilities, transientUnique=True)
    try:
        yield system
    finally:
        system.shutdown()


def measure(base: str, system: ActorSystem) -> dict[str, float]:
    """Messages per second, or microseconds, by name."""
    first, second = system.createActor(Player), system.createActor(Player)
    for actor in (first, second):
        system.ask(actor, "hello", 10)

    def seconds(order: object) -> float:
        taken = system.ask(first, order, 120)
        if not isinstance(taken, float):
            raise RuntimeError(f"{base}: no answer to {type(order).__name__}")
        return taken

    began = time.perf_counter()
    for _ in range(ASKS[base]):
        system.ask(first, "hello", 10)
    ask = (time.perf_counter() - began) / ASKS[base]
    return {
        "round trip": seconds(Exchange(second, ROUND_TRIPS[base], 1)) / ROUND_TRIPS[base] * 1e6,
        "16 in flight": IN_FLIGHT[base] / seconds(Exchange(second, IN_FLIGHT[base], 16)),
        "burst": BURST / seconds(Burst(second, BURST)),
        "outside ask": ask * 1e6,
    }


UNITS = {"round trip": "us", "16 in flight": "/s", "burst": "/s", "outside ask": "us"}
TARGETS = {"round trip": 1.0, "16 in flight": 10.0, "burst": 30.0, "outside ask": 2.0}


def best(figures: list[dict[str, float]], name: str) -> float:
    pick: Callable[[Iterator[float]], float] = min if UNITS[name] == "us" else max
    return pick(each[name] for each in figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    ours, theirs = [], []
    for _ in range(rounds):
        with unix() as system:
            ours.append(measure("unix", system))
        with tcp() as system:
            theirs.append(measure("tcp", system))
    print(f"{'':14}{'squad':>12}{'TCP base':>12}{'ratio':>9}{'target':>9}")
    for name, unit in UNITS.items():
        mine, other = best(ours, name), best(theirs, name)
        ratio = other / mine if unit == "us" else mine / other
        verdict = "met" if ratio >= TARGETS[name] else "missed"
        print(f"{name:14}{mine:>9,.0f} {unit}{other:>9,.0f} {unit}{ratio:>8.1f}x{TARGETS[name]:>8.0f}x  {verdict}")


if __name__ == "__main__":
    main()
