"""What the figures are judged by.

The first are for a hundred agents, and modest: a target, and what would still be acceptable. The others are our own,
for two cores: an aim, and a floor.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from squad.benchmark.document import Document, Measurement
from squad.benchmark.numbers import Unit, unit_of
from squad.benchmark.scale import SIZES


class Verdict(StrEnum):
    MET = "met"
    ACCEPTABLE = "acceptable"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


class Target(NamedTuple):
    """``agents``: the number for which it holds; None: for any. ``acceptable`` is the target itself when left out."""

    what: str
    measurement: str
    figure: str
    target: float
    acceptable: float | None = None
    agents: int | None = None

    @property
    def unit(self) -> Unit:
        return unit_of(self.figure)

    @property
    def limit(self) -> float:
        return self.target if self.acceptable is None else self.acceptable

    def judge(self, value: float) -> Verdict:
        sign = 1 if self.unit.more_is_better else -1
        if sign * value >= sign * self.target:
            return Verdict.MET
        return Verdict.ACCEPTABLE if sign * value >= sign * self.limit else Verdict.MISSED


_WORK_ITEMS = "work items"  # nothing measures them yet

TARGETS = (
    Target("message write, p99", SIZES, "write_p99_ms", 20, 50, 100),
    Target("message throughput", SIZES, "messages_per_second", 500, 200, 100),
    Target("queue depth, p95", SIZES, "queue_depth_p95", 20, 50, 100),
    Target("memory for each agent", SIZES, "agent_memory_mb", 500, 1000, 100),
    Target("CPU, of all cores", SIZES, "cpu_percent", 40, 60, 100),
    Target("work item, p99", _WORK_ITEMS, "item_p99_ms", 50, 100, 100),
    Target("one producer, 4 agents", "throughput", "messages_per_second", 15_000, 6_000, 4),
    Target("one producer, half load, p99", "throughput", "half_p99_ms", 50, None, 4),
    Target("agents that send to each other", "exchange", "messages_per_second", 10_000, 3_000, 100),
    Target("to each other, half load, p99", "exchange", "half_p99_ms", 10, 20, 100),
    Target("100/s from an agent, p99", "latency", "agent_p99_ms", 2, 3),
    Target("100/s from outside, p99", "latency", "outside_p99_ms", 2, 5),
    Target("200 agents ready", "many", "ready_seconds", 6, None, 200),
    Target("memory of 200 agents, ready", "many", "ready_mb", 1200, None, 200),
    Target("each has handled a message", "many", "many_mb", 1200, None, 200),
    Target("memory of a small squad", "many", "few_mb", 120, 150),
    Target("memory for each further agent", "many", "each_further_agent_mb", 6, 100),
    Target("50 idle agents, of one core", "idle", "core_percent", 2, None, 50),
    Target("kill -9 to handling again", "recovery", "slowest_seconds", 0.5, 5),
    Target("squad send, whole process", "shell", "send_seconds", 0.2, 0.3),
    Target("squad --help, whole process", "shell", "help_seconds", 0.15),
    Target("work items by 100 agents", _WORK_ITEMS, "items_per_second", 5_000, 1_000, 100),
    Target("work items, half load, p99", _WORK_ITEMS, "half_p99_ms", 20, 50, 100),
    Target("list of 100 work items", _WORK_ITEMS, "list_p99_ms", 2, 25),
)


class Judged(NamedTuple):
    """A target and what was measured: the median, lowest and highest of all repetitions; None when it was not."""

    target: Target
    value: float | None
    lowest: float | None
    highest: float | None
    verdict: Verdict


def judge(document: Document) -> list[Judged]:
    """Every target, in order."""
    return [_judged(target, document) for target in TARGETS]


def _judged(target: Target, document: Document) -> Judged:
    found = _measured(target, document)
    if found is None:
        return Judged(target, None, None, None, Verdict.NOT_MEASURED)
    values, median = found.figures[target.figure], found.median(target.figure)
    return Judged(target, median, min(values), max(values), target.judge(median))


def _measured(target: Target, document: Document) -> Measurement | None:
    """Where there are several sizes with so many agents, the one with the most operations."""
    fitting = [
        found
        for found in document.measurements
        if found.name == target.measurement and target.figure in found.figures and target.agents in (None, found.agents)
    ]
    return max(fitting, key=lambda found: found.operations, default=None)
