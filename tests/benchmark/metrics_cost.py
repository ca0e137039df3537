"""What metrics cost: the same work with them and without, in turn, so that what disturbs one disturbs the other.

    python -m tests.benchmark.metrics_cost [--rounds 20] [--messages 5000] [--agents 4] [--folder DIR]
    python -m tests.benchmark.metrics_cost --instructions --messages 50000 --rounds 8

First the store alone, in one process: microseconds of processor for a message that is submitted, claimed and completed,
in transactions of several sizes, what was measured being written as the storage does it. Then two whole squads beside
each other, which are flooded in turn: messages a second, and microseconds of processor of all processes. Each figure is
a median over the rounds; a difference is the median of the rounds' differences, with how far half of them lie apart.

On a busy machine times differ by more than metrics cost. ``--instructions`` counts instead what all processes of the
squads carry out for a message, from the flood until what it left is written down, with Linux's ``perf``.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TypeVar

from squad.actors.broker.measuring import Measuring
from squad.benchmark.agents import noop
from squad.benchmark.load import flood, warm_up
from squad.benchmark.processes import roles
from squad.benchmark.sampling import Sampler
from squad.benchmark.squads import ThrowAway, squad_of
from squad.clock import SYSTEM
from squad.config.metrics import MetricsConfig
from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.rows import NewTask, Outcome
from squad.store.settling import Batch
from squad.store.writer import Writer
from tests.benchmark.instructions import Instructions

GROUPS = (1, 10, 100)
PAYLOAD = json.dumps({"text": "x" * 188})
SLICE = 3000  # messages of the store in one round
TAIL = 6.0  # seconds after a flood in which what it left is written

T = TypeVar("T")

Pairs = list[tuple[float, float]]
"""For each round the figure without metrics, and with them."""


class Alone:
    """A store without a squad."""

    def __init__(self, path: Path, agents: int, enabled: bool) -> None:
        self.writer = Writer(path, StoreConfig(synchronous="NORMAL"))
        self._names = [f"agent{number}" for number in range(agents)]
        self._measuring = Measuring(self.writer.metrics, MetricsConfig(enabled=enabled), SYSTEM)
        self._held: list[Batch] = []

    def work(self, group: int, messages: int) -> float:
        """Microseconds of processor for each."""
        room = -(-group // len(self._names))
        used = 0.0
        for _ in range(messages // group):
            now = time.time()
            rows = [
                NewTask(new_id(), "bench", self._names[n % len(self._names)], "work", PAYLOAD) for n in range(group)
            ]
            began = time.thread_time()
            with self.writer.transaction():
                self.writer.submit(rows, now)
                self.writer.settle(self._held, now, lambda *_: None)
                given = self.writer.claim({name: [(name, room)] for name in self._names}, now)
                self._measuring.turn(now)
            self._measuring.over()
            used += time.thread_time() - began
            self._held = [
                Batch(
                    name,
                    name,
                    [Outcome(x.row, x.fence, "done", now, random.expovariate(1 / 20), "null") for x in leases],
                )
                for name, leases in given.items()
            ]
        return used / messages * 1e6


def store(folder: Path, group: int, agents: int, rounds: int) -> Pairs:
    """Microseconds of processor for each message."""
    with tempfile.TemporaryDirectory(prefix="squad-metrics-", dir=folder) as place, ExitStack() as stack:
        made = [Alone(Path(place) / f"{enabled}.db", agents, enabled) for enabled in (False, True)]
        for each in made:
            stack.enter_context(closing(each.writer))
        return in_turn(rounds, lambda enabled: made[enabled].work(group, max(group, SLICE // group * group)))


@contextmanager
def squads(folder: Path | None, agents: int) -> Iterator[list[ThrowAway]]:
    """Two, the one without metrics."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(squad_of(agents, folder, sections={"metrics": {"enabled": enabled}}))
            for enabled in (False, True)
        ]
        for squad in made:
            warm_up(squad, agents)
        yield made


def times(made: list[ThrowAway], agents: int, messages: int, rounds: int) -> tuple[Pairs, Pairs]:
    """Messages a second, and microseconds of processor for each."""

    def once(enabled: bool) -> tuple[float, float]:
        squad = made[enabled]
        with Sampler(squad.home.database, roles(squad)) as sampler:
            seconds = flood(squad, [noop(n % agents) for n in range(messages)])
        return messages / seconds, sum(sampler.cpu.values()) / messages * 1e6

    found = in_turn(rounds, once)
    rates, used = ([(before[n], after[n]) for before, after in found] for n in (0, 1))
    return rates, used


def instructions(made: list[ThrowAway], agents: int, messages: int, rounds: int) -> Pairs:
    """Thousands for each message."""

    def once(enabled: bool) -> float:
        squad = made[enabled]
        with Instructions(roles(squad)) as counted:
            flood(squad, [noop(n % agents) for n in range(messages)])
            time.sleep(TAIL)
        return counted.count / messages / 1000

    return in_turn(rounds, once)


def in_turn(rounds: int, work: Callable[[bool], T]) -> list[tuple[T, T]]:
    """Each round both, the one or the other first; one round before them is not told."""
    found = []
    for number in range(rounds + 1):
        both = {enabled: work(enabled) for enabled in ((False, True) if number % 2 else (True, False))}
        found.append((both[False], both[True]))
    return found[1:]


def row(what: str, unit: str, pairs: Pairs) -> str:
    without, with_ = (statistics.median(values) for values in zip(*pairs, strict=True))
    changes = [100 * (after / before - 1) for before, after in pairs]
    low, middle, high = statistics.quantiles(changes, n=4) if len(changes) > 1 else (changes[0],) * 3
    return f"| {what} | {unit} | {without:,.1f} | {with_:,.1f} | {middle:+.2f} % | {low:+.2f} to {high:+.2f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmark.metrics_cost", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--messages", type=int, default=5000, help="in each round, of the squads")
    parser.add_argument("--agents", type=int, default=4)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--store", action="store_true", help="the store alone")
    only.add_argument("--instructions", action="store_true", help="the squads alone, instructions instead of time")
    parser.add_argument("--folder", type=Path, help="where to make them (the system's temporary folder)")
    given = parser.parse_args()
    print("| what | unit | without | with metrics | difference | half of the rounds |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    if given.instructions:
        with squads(given.folder, given.agents) as made:
            counted = instructions(made, given.agents, given.messages, given.rounds)
        print(row(f"squad of {given.agents} agents", "thousand instructions a message", counted))
        return
    for group in GROUPS:
        pairs = store(given.folder, group, given.agents, given.rounds)
        print(row(f"store, {group} in a transaction", "µs a message", pairs), flush=True)
    if not given.store:
        with squads(given.folder, given.agents) as made:
            rates, used = times(made, given.agents, given.messages, given.rounds)
        print(row(f"squad of {given.agents} agents", "messages/s", rates))
        print(row("likewise", "µs a message", used))


if __name__ == "__main__":
    main()
