"""What each setting of ``store.synchronous`` costs: the store alone, in one process, in groups of several sizes.

    python -m tests.benchmark.commits [--seconds 3] [--folder DIR] [--agents 4]

In each transaction a group of messages of 200 bytes is submitted, the group before is completed and the next one is
claimed, as the storage does it under load. Told are messages a second, the processor time that each costs this thread
(which also makes the messages), and how long a commit takes by the clock; checkpoints are among them. ``fdatasync`` is
the disk alone: 20 kB appended to a file and synced. What a whole squad does under each setting is told by
``squad benchmark run --synchronous``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Literal

from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.rows import NewTask, Outcome
from squad.store.settling import Batch
from squad.store.writer import Writer

GROUPS = (1, 10, 50, 100, 500)
PAYLOAD = json.dumps({"text": "x" * 188})
APPENDED = 20_000  # bytes, about what a small transaction writes

Synchronous = Literal["FULL", "NORMAL"]
SETTINGS: tuple[Synchronous, ...] = ("FULL", "NORMAL")

Row = tuple[str, int, float, float, float, float, float]


def work(path: Path, synchronous: Synchronous, group: int, agents: int, seconds: float) -> Row:
    """Setting, group, messages a second, microseconds of processor each; milliseconds of a commit: p50, p99, most."""
    names = [f"agent{number}" for number in range(agents)]
    room = -(-group // agents)
    commits: list[float] = []
    done = 0
    held: list[Batch] = []
    with closing(Writer(path, StoreConfig(synchronous=synchronous))) as writer:
        began, used = time.perf_counter(), time.thread_time()
        while not done or time.perf_counter() - began < seconds:  # until one round's messages have ended, at least
            now = time.time()
            rows = [NewTask(new_id(), "bench", names[n % agents], "work", PAYLOAD) for n in range(group)]
            with writer.transaction():
                writer.submit(rows, now)
                done += sum(writer.settle(held, now, lambda *_: None).accepted)
                given = writer.claim({name: [(name, room)] for name in names}, now)
                start = time.perf_counter()
            commits.append(time.perf_counter() - start)
            held = [
                Batch(name, name, [Outcome(x.row, x.fence, "done", now, 1, "null") for x in leases])
                for name, leases in given.items()
            ]
        spent, used = time.perf_counter() - began, time.thread_time() - used
    return synchronous, group, done / spent, used / done * 1e6, *spread(commits)


def spread(seconds: list[float]) -> tuple[float, float, float]:
    """Milliseconds: the median, the 99th of a hundred, the most."""
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2] * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3, ordered[-1] * 1e3


def disk(path: Path, seconds: float) -> tuple[float, float, float]:
    taken = []
    data = os.urandom(APPENDED)
    with path.open("wb", buffering=0) as file:
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            file.write(data)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return spread(taken)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.commits", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where to make the databases (the system's temporary folder)")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="squad-commits-", dir=given.folder))
    print("| synchronous | group | messages/s | µs of processor each | commit p50, ms | p99 | most |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    try:
        for synchronous in SETTINGS:
            for group in GROUPS:
                path = folder / f"{synchronous}-{group}.db"
                row = work(path, synchronous, group, given.agents, given.seconds)
                print("| {} | {} | {:,.0f} | {:.1f} | {:.2f} | {:.2f} | {:.2f} |".format(*row))
        p50, p99, most = disk(folder / "file", given.seconds)
        print(f"| fdatasync | | | | {p50:.2f} | {p99:.2f} | {most:.2f} |")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
