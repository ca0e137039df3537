"""All measurements in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from squad.benchmark import life, sizes, throughput
from squad.benchmark.agents import SIZE
from squad.benchmark.document import Document, Failure, Measurement
from squad.benchmark.machine import machine, versions
from squad.benchmark.numbers import Figures, unit_of, written
from squad.benchmark.scale import SIZES, Scale
from squad.errors import SquadError, UsageError
from squad.messages import did_you_mean
from squad.store.times import iso

_BUSY = 0.3  # load average, for each core, from which on others disturb what is measured

Say = Callable[[str], None]
"""Tells the user what is being done now: a line."""


class Step(NamedTuple):
    """One measurement at one size, to be made on new squads."""

    name: str
    agents: int
    operations: int
    measure: Callable[[], Figures]

    def __str__(self) -> str:
        agents = f"{self.agents} agent{'' if self.agents == 1 else 's'}"
        return f"{self.name}, {agents}" + (f" x {self.operations:,}" if self.name == SIZES else "")


_ALONE: dict[str, tuple[Callable[[Scale, Path | None], Figures], Callable[[Scale], tuple[int, int]]]] = {
    "throughput": (throughput.throughput, lambda scale: (scale.producer_agents, scale.messages)),
    "exchange": (throughput.exchange, lambda scale: (scale.exchange_agents, scale.messages)),
    "latency": (sizes.latency, lambda scale: (scale.latency_agents, round(scale.rate * scale.seconds))),
    "many": (life.many, lambda scale: (scale.many, 1)),
    "idle": (life.idle, lambda scale: (scale.idle_agents, 0)),
    "recovery": (life.recovery, lambda scale: (scale.tries, 1)),
    "commands": (life.commands, lambda scale: (1, max(10, scale.messages // 20))),
    "shell": (life.shell, lambda scale: (1, scale.tries)),
}
NAMES = (*_ALONE, SIZES)
"""Of all measurements, in order."""


def steps(scale: Scale, folder: Path | None, only: Collection[str] = ()) -> list[Step]:
    """What there is to do; ``only`` of these names. Raises UsageError for a name that there is not."""
    for name in only:
        if name not in NAMES:
            raise UsageError(
                f"no measurement is called {name!r}",
                hint=did_you_mean(name, NAMES) or f"there is {', '.join(NAMES)}",
            )
    found = [
        Step(name, *size(scale), partial(measure, scale, folder))
        for name, (measure, size) in _ALONE.items()
        if not only or name in only
    ]
    if not only or SIZES in only:
        found += [Step(SIZES, *size, partial(sizes.measure, size, scale, folder)) for size in scale.sizes]
    return found


def run(scale: Scale, todo: Sequence[Step], folder: Path | None, repeat: int, say: Say) -> Document:
    """Make each measurement ``repeat`` times, each on new squads. One that cannot be made is told of and passed."""
    began = time.time()
    about = machine(folder)
    if about["file_system"] == "tmpfs":
        say("the squads are in memory (tmpfs), where writing costs nothing: --folder names a place on a disk")
    if about["load_before"] > _BUSY * about["cores"]:
        say(f"the machine is busy (load average {about['load_before']}): every figure will be the worse for it")
    done, failures = [], []
    for number, step in enumerate(todo, 1):
        found: list[Figures] = []
        try:
            for repetition in range(repeat):
                again = f", run {repetition + 1} of {repeat}" if repeat > 1 else ""
                say(f"[{number}/{len(todo)}] {step}{again}")
                found.append(step.measure())
                say(f"{'':8}{_first(found[-1])}")
        except SquadError as error:
            say(f"{'':8}it failed: {error.message}")
            failures.append(Failure(step.name, step.agents, step.operations, error.message))
        else:
            done.append(Measurement.of(step.name, step.agents, step.operations, found))
    settings = {**scale.content(), "repeat": repeat, "payload_bytes": SIZE, "folder": str(folder or "")}
    lasted = round(time.time() - began, 1)
    return Document(iso(began), lasted, about, versions(), settings, done, failures)


def _first(found: Figures) -> str:
    figure, value = next(iter(found.items()))
    return f"{figure} {written(value, unit_of(figure))} {unit_of(figure).name}"


def most_agents(todo: Sequence[Step]) -> int:
    return max(step.agents for step in todo)
