"""Squad beside other durable queues on SQLite: the same work in the same run, as ratios.

    pip install -e '.[bench]'
    python -m tests.benchmark.peers
    python -m tests.benchmark.peers --only squad,litequeue --rounds 5 --output peers.json

Each round sets up every queue anew in a temporary folder, in an order drawn from --seed, and takes its latency and then
its throughput. How each is set up stands at the top of its module in tests/benchmark/queues; what the figures mean, in
docs/peers.md. Every task must have been handled exactly once, or the figure is refused.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import random
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import psutil

from tests.benchmark.queues import processes
from tests.benchmark.queues.contest import PAYLOAD, Journal, Setup
from tests.benchmark.queues.run import Figures, RefusedFigureError, Run, Scale


class Contestant(NamedTuple):
    """A queue in one set-up."""

    module: str  # in tests.benchmark.queues
    running: str  # its context manager in there
    package: str  # what has to be installed
    synchronous: str
    rival: str  # the contestant of ours with the same promise
    share: float  # of --tasks: the slower ones get fewer
    kept: str  # what is kept of a task when a worker dies while it handles it


CONTESTANTS = {
    "squad": Contestant("of_squad", "running", "squad-runtime", "FULL", "squad", 1, "handled again"),
    "litequeue": Contestant("of_litequeue", "running", "litequeue", "FULL", "squad", 1, "stays locked"),
    "huey": Contestant("of_huey", "running", "huey", "FULL", "squad", 0.25, "lost"),
    "persist-queue-ack": Contestant(
        "of_persist_queue", "acknowledged", "persist-queue", "FULL", "squad", 0.25, "handled again after a restart"
    ),
    "persist-queue": Contestant("of_persist_queue", "forgetful", "persist-queue", "FULL", "squad", 0.25, "lost"),
    "dbos": Contestant("of_dbos", "running", "dbos", "FULL", "squad", 0.02, "handled again after a restart"),
    "squad-normal": Contestant("of_squad", "running", "squad-runtime", "NORMAL", "squad-normal", 1, "handled again"),
    "litequeue-normal": Contestant("of_litequeue", "running", "litequeue", "NORMAL", "squad-normal", 1, "stays locked"),
}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # that end the comparison
_SYNCS = 200  # pages by which the disk is measured
_HELD = 0.95  # of the rate; below that the latency is one of another load
MODULES = {"squad-runtime": "squad", "persist-queue": "persistqueue"}  # where package and module differ


class Unit(NamedTuple):
    text: str
    title: str
    more_is_better: bool


FIGURES = {
    "tasks_per_second": Unit("{:,.0f}", "tasks/s", True),
    "p50_ms": Unit("{:.1f}", "p50, ms", False),
    "p99_ms": Unit("{:.1f}", "p99, ms", False),
    "cpu_us_per_task": Unit("{:,.0f}", "CPU µs/task", False),
    "cpu_percent_at_rate": Unit("{:.0f}", "CPU % at rate", False),
}


class Before(NamedTuple):
    """What the machine was like before the first round."""

    load: tuple[float, float, float]
    disk_sync_ms: float


@dataclass
class Found:
    """What the rounds gave for one contestant: a value for each round, None where it was refused."""

    figures: dict[str, list[float | None]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    workers_seen: list[int] = field(default_factory=list)
    sent_per_second: list[float] = field(default_factory=list)

    def values(self, figure: str) -> list[float]:
        return [value for value in self.figures.get(figure, []) if value is not None]


# -- measuring ------------------------------------------------------------------------------------------------------


def measure(name: str, scale: Scale) -> tuple[Figures, int]:
    """The figures of one contestant, set up anew, and how many workers took part.

    Raises RefusedFigureError, also when the queue itself fails, in whatever way.
    """
    contestant = CONTESTANTS[name]
    running = getattr(importlib.import_module(f"tests.benchmark.queues.{contestant.module}"), contestant.running)
    with tempfile.TemporaryDirectory(prefix=f"squad-peers-{name}-") as path:
        folder = Path(path)
        with closing(Journal(folder / "journal")) as journal:
            try:
                with running(Setup(folder, journal, contestant.synchronous, scale.workers, scale.poll)) as queue:
                    return Run(queue, journal, scale).all(count_of(contestant, scale))
            except Exception as error:
                last = processes.said(folder)
                reason = str(error) or type(error).__name__
                raise RefusedFigureError(f"{reason}; its workers' last line: {last}" if last else reason) from error


def count_of(contestant: Contestant, scale: Scale) -> int:
    """How many tasks its throughput is taken with."""
    return max(1, round(scale.tasks * contestant.share))


def disk_sync() -> float:
    """Milliseconds until a written page is safely on the disk: the median of many. Every commit under FULL has it."""
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_SYNCS):
            began = time.monotonic()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            taken.append(time.monotonic() - began)
    return statistics.median(taken) * 1000


def compare(names: Sequence[str], scale: Scale, rounds: int, seed: int) -> tuple[dict[str, Found], list[list[str]]]:
    """What was found, by contestant, and the order of each round."""
    found = {name: Found() for name in names}
    orders = []
    chance = random.Random(seed)  # noqa: S311 - an order that can be had again, no secret
    for number in range(rounds):
        order = list(names)
        chance.shuffle(order)
        orders.append(order)
        for name in order:
            print(f"round {number + 1}/{rounds}: {name} ...", file=sys.stderr, flush=True)
            figures: Figures = {}
            try:
                figures, workers = measure(name, scale)
                found[name].workers_seen.append(workers)
                if "sent_per_second" in figures:
                    found[name].sent_per_second.append(round(figures["sent_per_second"], 2))
            except RefusedFigureError as error:
                found[name].refused.append(f"round {number + 1}: {error}")
                print(f"  refused: {error}", file=sys.stderr, flush=True)
            for figure in FIGURES:
                value = figures.get(figure)
                found[name].figures.setdefault(figure, []).append(None if value is None else round(value, 4))
    return found, orders


# -- telling --------------------------------------------------------------------------------------------------------


def ratios(found: dict[str, Found], name: str, figure: str) -> list[float]:
    """By how much Squad with the same promise is better, in each round that has both figures: 2 is twice as good."""
    rival = found.get(CONTESTANTS[name].rival)
    if rival is None:
        return []
    pairs = zip(rival.figures.get(figure, []), found[name].figures.get(figure, []), strict=True)
    good = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
    return [ours / theirs if FIGURES[figure].more_is_better else theirs / ours for ours, theirs in good]


def table(found: dict[str, Found], scale: Scale) -> str:
    """A row for each contestant and figure: median, lowest, highest, and Squad's ratio to it."""
    head = (
        f"{'queue':<18} {'synchronous':<12} {'figure':<14} {'median':>9} {'lowest':>9} {'highest':>9} {'Squad is':>10}"
    )
    lines = [head]
    for name, result in found.items():
        for figure, unit in FIGURES.items():
            values = result.values(figure)
            if not values:
                continue
            shown = [unit.text.format(value) for value in (statistics.median(values), min(values), max(values))]
            times = ratios(found, name, figure) if CONTESTANTS[name].rival != name else []
            better = f"{statistics.median(times):.1f}x" if times else ""
            row = f"{name:<18} {CONTESTANTS[name].synchronous:<12} {unit.title:<14} "
            lines.append(row + f"{shown[0]:>9} {shown[1]:>9} {shown[2]:>9} {better:>10}".rstrip())
        if any(sent < scale.rate * _HELD for sent in result.sent_per_second):
            slowest = min(result.sent_per_second)
            lines.append(
                f"{name:<18} it did not take {scale.rate:g} tasks/s when its latency was measured: {slowest:.0f}"
            )
        lines += [f"{name:<18} refused, {reason.partition(chr(10))[0]}" for reason in result.refused]
    return "\n".join(lines)


def document(
    found: dict[str, Found], orders: list[list[str]], scale: Scale, seed: int, before: Before
) -> dict[str, Any]:
    packages = sorted({CONTESTANTS[name].package for name in found})
    return {
        "schema_version": 1,
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "machine": {
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "system": platform.platform(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "load_before": [round(each, 2) for each in before.load],
            "disk_sync_ms_before": round(before.disk_sync_ms, 3),
        },
        "versions": {package: importlib.metadata.version(package) for package in packages},
        "settings": {**vars(scale), "payload_bytes": PAYLOAD, "seed": seed, "rounds": len(orders)},
        "orders": orders,
        "queues": {
            name: {
                "package": CONTESTANTS[name].package,
                "synchronous": CONTESTANTS[name].synchronous,
                "task_of_a_dead_worker": CONTESTANTS[name].kept,
                "tasks": count_of(CONTESTANTS[name], scale),
                "workers_seen": result.workers_seen,
                "sent_per_second": result.sent_per_second,
                "figures": result.figures,
                "squad_is_better_by": {
                    figure: [round(x, 3) for x in ratios(found, name, figure)] for figure in FIGURES
                },
                "refused": result.refused,
            }
            for name, result in found.items()
        },
    }


def missing(names: Sequence[str]) -> list[str]:
    """The packages of these contestants that are not installed."""
    packages = dict.fromkeys(CONTESTANTS[name].package for name in names)
    return [package for package in packages if importlib.util.find_spec(MODULES.get(package, package)) is None]


def _end(number: int, frame: FrameType | None) -> None:
    """End in order, so that every folder and process is cleared away, also when the signal comes again meanwhile."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    default = Scale()
    parser = argparse.ArgumentParser(description="Compare Squad with other durable queues on SQLite.")
    parser.add_argument("--only", default=",".join(CONTESTANTS), help=f"of: {', '.join(CONTESTANTS)}")
    parser.add_argument("--rounds", type=int, default=3, help="times each is measured (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order in each round (default: %(default)s)")
    parser.add_argument("--tasks", type=int, default=default.tasks, help="fewer for slow ones (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of latency (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=default.rate, help="tasks/s of latency (default: %(default)s)")
    parser.add_argument("--poll", type=float, default=default.poll, help="seconds, for pollers (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=default.limit, help="seconds each (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="file for the JSON document (default: printed after the table)")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := [name for name in names if name not in CONTESTANTS]:
        parser.error(f"no queue is called {', '.join(unknown)}: choose from {', '.join(CONTESTANTS)}")
    if options.rounds < 1 or options.tasks < 1 or options.rate <= 0 or options.poll <= 0 or options.seconds < 0:
        parser.error("--rounds and --tasks must be at least 1, --rate and --poll above 0, --seconds 0 or more")
    if absent := missing(names):
        parser.error(f"not installed: {', '.join(absent)}. They come with an extra: pip install -e '.[bench]'")
    scale = Scale(options.tasks, options.seconds, options.rate, poll=options.poll, limit=options.limit)
    for each in _SIGNALS:
        signal.signal(each, _end)
    before = Before(os.getloadavg(), disk_sync())
    found, orders = compare(names, scale, options.rounds, options.seed)
    print(table(found, scale))
    print(f"before it the load was {before.load[0]:.1f}, and a page took {before.disk_sync_ms:.2f} ms to the disk")
    text = json.dumps(document(found, orders, scale, options.seed, before))
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(f"\n{text}")
    return 1 if any(result.refused for result in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
