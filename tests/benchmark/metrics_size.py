"""How large metrics become: days of a squad's life, written by the storage's own writer with a clock that is moved.

    python -m tests.benchmark.metrics_size [--days 40] [--agents 200] [--messages 10000] [--folder DIR]

Each minute the agents' gauges are recorded as the monitor hands them in (half of the agents are at rest: their readings
do not change), and the day's messages are completed, more of them by day than by night. Told is, at the end of a day,
how large the points of each length are, the series, and all of it: pages of the database that hold something. At the
end: what a further day of hours takes, which is what is kept for long, and all of it for each day that is kept.
"""

from __future__ import annotations

import argparse
import math
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from squad.config.metrics import MetricsConfig
from squad.config.schema import StoreConfig
from squad.store.metrics.journal import Measured
from squad.store.metrics.steps import STEPS
from squad.store.metrics.summary import Summary
from squad.store.writer import Writer

BEGIN = 1_800_000_000.0  # 2027-01-15T08:00:00Z
DAY, MINUTE = 86_400, 60
TYPES = ("scan", "report", "notify")


class Day(NamedTuple):
    """Bytes and rows: of points by step, and of series."""

    number: int
    points: dict[int, tuple[int, int]]
    series: tuple[int, int]

    @property
    def total(self) -> int:
        return self.series[0] + sum(size for size, _ in self.points.values())


def live(path: Path, days: int, agents: int, messages: int) -> Iterator[Day]:
    """Each day's end."""
    chance = random.Random(1)  # noqa: S311
    names = [f"agent-{number:03}" for number in range(agents)]
    memory = {name: 30_000_000 + 4096 * chance.randrange(5000) for name in names}
    keep = MetricsConfig().keep
    with closing(Writer(path, StoreConfig(synchronous="NORMAL"))) as writer:
        with closing(sqlite3.connect(path)) as connection:
            empty = pages(connection)
        for day in range(1, days + 1):
            for minute in range(DAY // MINUTE):
                now = BEGIN + (day - 1) * DAY + minute * MINUTE
                with writer.transaction():
                    _gauges(writer, names, memory, chance)
                    _messages(writer, names, _share(minute, messages, chance), now, chance)
                    writer.metrics.write(now)
                while _fold(writer, now, keep):
                    pass
            yield measure(path, day, empty)


def _fold(writer: Writer, now: float, keep: float) -> bool:
    with writer.transaction():
        return writer.metrics.fold(now, keep)


def _gauges(writer: Writer, names: list[str], memory: dict[str, int], chance: random.Random) -> None:
    found = []
    for number, name in enumerate(names):
        busy = number % 2 and chance.random() < 0.5
        cpu = Summary()
        for _ in range(6 if busy else 1):
            cpu.add(Summary.gauged(round(chance.uniform(0, 30), 1) if busy else 0.0))
        if busy and chance.random() < 0.2:
            memory[name] += 4096 * chance.randrange(-40, 50)
        up = Summary.gauged(100.0)
        for metric, summary in (
            ("cpu_percent", cpu),
            ("memory_bytes", Summary.gauged(memory[name])),
            ("uptime_percent", up),
        ):
            found.append(Measured(metric, name, "", "gauge", summary))
    for metric, low, high in (
        ("machine_cpu_percent", 1, 60),
        ("machine_memory_percent", 30, 50),
        ("processes", 205, 205),
    ):
        found.append(Measured(metric, "", "", "gauge", Summary.gauged(round(chance.uniform(low, high), 1))))
    writer.metrics.add(found)


def _share(minute: int, messages: int, chance: random.Random) -> int:
    """Of the day's messages: most in its middle."""
    mean = messages / 1440 * (1 - 0.8 * math.cos(2 * math.pi * minute / 1440))
    return int(mean) + (chance.random() < mean % 1)


def _messages(writer: Writer, names: list[str], number: int, now: float, chance: random.Random) -> None:
    found = []
    for _ in range(number):
        name, kind = chance.choice(names), chance.choice(TYPES[:2] if chance.random() < 0.9 else TYPES)
        for metric, middle in (("handling_ms", 400), ("waiting_ms", 8)):
            value = middle * math.exp(chance.gauss(0, 1))
            found.append(Measured(metric, name, kind, "histogram", Summary.observed((value,))))
        ends = ["completed"] + ["retried"] * (chance.random() < 0.02)
        found += [Measured(metric, name, kind, "counter", Summary.counted(1)) for metric in ("queued", *ends)]
        found.append(Measured("queue_depth", name, "", "gauge", Summary.gauged(chance.randrange(2))))
    writer.metrics.add(found)


_HELD = """
    SELECT step, COUNT(*), SUM(22 + LENGTH(COALESCE(buckets, '')) + 8 * (least IS NOT NULL) + 8 * (most IS NOT NULL)
                               + 6 * (last IS NOT NULL))
    FROM metric_points GROUP BY step
"""
_SERIES = """
    SELECT COUNT(*), SUM(40 + 2 * LENGTH(name || agent || type) + LENGTH(COALESCE(buckets, ''))) FROM metric_series
"""


def measure(path: Path, day: int, empty: int) -> Day:
    """All pages in use, without those of an ``empty`` database; they are shared out by what the rows hold."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        used = pages(connection) - empty
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        held = dict.fromkeys(STEPS, (0, 0)) | {step: (rows, held) for step, rows, held in connection.execute(_HELD)}
        rows, series = connection.execute(_SERIES).fetchone()
    share = used * size / ((sum(held for _, held in held.values()) + series) or 1)
    return Day(
        day, {step: (round(each * share), count) for step, (count, each) in held.items()}, (round(series * share), rows)
    )


def pages(connection: sqlite3.Connection) -> int:
    """How many hold something."""
    whole, free = (connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count"))
    return int(whole - free)


def table(days: list[Day], every: int) -> str:
    lines = ["| day | a minute each | ten minutes | an hour | series | all, MB | rows |", "|" + " ---: |" * 7]
    for day in days:
        if day.number % every and day.number != len(days):
            continue
        sizes = [day.points[step][0] / 1e6 for step in STEPS]
        rows = sum(count for _, count in day.points.values())
        lines.append(
            f"| {day.number} | "
            + " | ".join(f"{size:.2f}" for size in (*sizes, day.series[0] / 1e6, day.total / 1e6))
            + f" | {rows:,} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmark.metrics_size", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--messages", type=int, default=10_000, help="a day")
    parser.add_argument("--folder", type=Path, help="where to make the database (the system's temporary folder)")
    given = parser.parse_args()
    began = time.process_time()
    with tempfile.TemporaryDirectory(prefix="squad-metrics-", dir=given.folder) as place:
        days = list(live(Path(place) / "squad.db", given.days, given.agents, given.messages))
    print(table(days, 5))
    hours = [day.points[STEPS[-1]][0] for day in days[:30]]
    if len(hours) > 4:
        print(f"\na day of hours adds {(hours[-1] - hours[2]) / (len(hours) - 3) / 1e6:.2f} MB", end="; ")
    print(f"all of it is {days[-1].total / min(30, len(days)) / 1e6:.2f} MB for each day that is kept")
    print(f"{(time.process_time() - began) / given.days:.1f} s of processor for a day")


if __name__ == "__main__":
    main()
