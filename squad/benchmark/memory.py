"""Memory over many rounds of work: before, at most, and after each, by the role of the process."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from squad.benchmark import leaks
from squad.benchmark.agents import noop
from squad.benchmark.load import wait, warm_up
from squad.benchmark.processes import AGENTS, Roles, pss_by_role, roles
from squad.benchmark.squads import ThrowAway, squad_of

_CACHE = -2000  # KiB, SQLite's own default: a page cache that is full after the first round is not taken for a leak
SETTLING = 1.0
"""Seconds after the last message until memory is read."""

_READ_SHARE = 4  # times as long as a reading took, the next one waits
_BATCH = 500
ALL = "all"


class Reading(NamedTuple):
    """Megabytes (PSS) of all processes of a role: before the work of a run, at most meanwhile, and after it."""

    agents: int
    run: int
    role: str
    processes: int
    before_mb: float
    peak_mb: float
    after_mb: float

    @property
    def each_mb(self) -> float:
        """After it, of one process."""
        return self.after_mb / self.processes


class Role(NamedTuple):
    """All runs of one role with so many agents; before the first run, the peak of all, after the last."""

    agents: int
    role: str
    processes: int
    before_mb: float
    peak_mb: float
    after_mb: float
    finding: leaks.Finding


def measure(
    agents: Sequence[int], runs: int, messages: int, folder: Path | None, say: Callable[[str], None]
) -> Iterator[Reading]:
    """One squad for each number of agents; ``messages`` in every run, shared by the agents. Raises SquadError."""
    for count in agents:
        say(f"{count} agent{'' if count == 1 else 's'}, {runs} runs of {messages:,} messages")
        with squad_of(count, folder, sections={"store": {"cache_size": _CACHE}}) as squad:
            warm_up(squad, count)
            time.sleep(SETTLING)
            processes = roles(squad)
            before = pss_by_role(processes)
            for run in range(1, runs + 1):
                peak = _work(squad, processes, count, messages)
                time.sleep(SETTLING)
                after = pss_by_role(processes)
                yield from _readings(count, run, processes, before, peak, after)
                before = after


def _work(squad: ThrowAway, processes: Roles, agents: int, messages: int) -> dict[str, float]:
    """Megabytes of each role at most, read between the batches that are sent and when all is sent."""
    peak: dict[str, float] = {}
    next_look = 0.0
    for first in range(0, messages, _BATCH):
        squad.client.send_many([noop(number % agents) for number in range(first, min(messages, first + _BATCH))])
        began = time.monotonic()
        if began >= next_look or first + _BATCH >= messages:
            for role, size in pss_by_role(processes).items():
                peak[role] = max(peak.get(role, 0.0), size)
            now = time.monotonic()
            next_look = now + _READ_SHARE * (now - began)
    wait(squad)
    return peak


def _readings(  # noqa: PLR0913, PLR0917 - the three sizes belong together
    agents: int,
    run: int,
    processes: Roles,
    before: dict[str, float],
    peak: dict[str, float],
    after: dict[str, float],
) -> Iterator[Reading]:
    counts = Counter(processes.values())
    highest = {role: max(peak[role], before[role], after[role]) for role in after}
    for role, count in counts.items():
        yield Reading(agents, run, role, count, before[role], highest[role], after[role])
    sums = [sum(sizes.values()) for sizes in (before, highest, after)]
    yield Reading(agents, run, ALL, sum(counts.values()), *sums)


def by_role(readings: Sequence[Reading], messages: int) -> list[Role]:
    """All runs together, and whether a process of the role leaks. ``messages``: of each run, for all agents."""
    grouped: dict[tuple[int, str], list[Reading]] = {}
    for reading in readings:
        grouped.setdefault((reading.agents, reading.role), []).append(reading)
    found = []
    for (agents, role), runs in grouped.items():
        handled = messages / agents if role == AGENTS else messages
        finding = leaks.judge([reading.each_mb if role == AGENTS else reading.after_mb for reading in runs], handled)
        peak = max(reading.peak_mb for reading in runs)
        found.append(Role(agents, role, runs[0].processes, runs[0].before_mb, peak, runs[-1].after_mb, finding))
    return found


def write_csv(readings: Sequence[Reading], file: TextIO) -> None:
    table = csv.writer(file, lineterminator="\n")
    table.writerow([*Reading._fields, "each_mb"])
    for reading in readings:
        sizes = (reading.before_mb, reading.peak_mb, reading.after_mb, reading.each_mb)
        table.writerow([*reading[:4], *(f"{size:.3f}" for size in sizes)])
