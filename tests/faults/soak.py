"""Hours of steady load, compressed: thousands of messages a second for minutes, and whether anything grows.

    python -m tests.faults.soak --minutes 10

runs a squad in a temporary folder under load, kills an agent now and then, reads every few seconds what its processes
and its home take, fits a line through each of the readings, and prints them. The exit status is 1 when one is not flat.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from squad.client import Client
from squad.errors import SquadError
from squad.home import Home
from tests.running import ROOT, RunningSquad, eventually

CONFIG = f"""
agents:
  desk: {{class: "{ROOT}/tests/faults/soaking.py:Desk", send_rate: none, queue: {{limit: 20000}}}}
  book: {{class: "{ROOT}/tests/faults/soaking.py:Book", send_rate: none}}
  printer: {{command: ["true"], handles: [stamp]}}
convoys:
  clerk: {{class: "{ROOT}/tests/faults/soaking.py:Clerk", send_rate: none, min: 3, max: 3}}
types:
  stamp: {{fields: {{entry: int}}}}
supervision:
  restarts: {{intensity: 100000, backoff: 10ms, cap: 100ms}}
logging: {{max_size: 200kB}}
store: {{cache_size: -16000}}  # 16 MB: it grows to that and no further
schedules:
  tick: {{cron: "* * * * * *", recipient: book, type: tick}}
"""
# What a reading may grow by over the whole run, once it has warmed up: so much, and so great a part of what it was.
ALLOWED = {
    "files": (12.0, 0.1),
    "threads": (4.0, 0.1),
    "memory": (12e6, 0.15),
    "processes": (3.0, 0.0),
    "entries": (12.0, 0.1),
    "bytes of logs": (2e6, 0.2),
    "bytes of log ahead": (8e6, 0.5),  # the write-ahead log
    "bytes a message": (60.0, 0.15),
}
_WARM_UP = 0.3  # part of the readings that are left out
_BATCH = 200
_CROWD = 3_000  # messages that wait above which the producers pause

Readings = dict[str, float]  # "memory of storage", "processes": all that was read at one moment


class Line(NamedTuple):
    """A line through one reading: what it was at the first moment and at the last, as fitted, and the most it was."""

    name: str
    first: float
    last: float
    most: float

    @property
    def flat(self) -> bool:
        least, part = ALLOWED[self.name.partition(" of ")[0] if self.name not in ALLOWED else self.name]
        return self.last - self.first <= max(least, part * self.first)


def judge(readings: Sequence[tuple[float, Readings]]) -> list[Line]:
    """A line for each reading that was there all the time, by (seconds, readings)."""
    steady = readings[int(len(readings) * _WARM_UP) :]
    names = set.intersection(*(set(found) for _, found in steady))
    moments = [at for at, _ in steady]
    lines = []
    for name in sorted(names):
        values = [found[name] for _, found in steady]
        slope, start = statistics.linear_regression(moments, values)
        lines.append(Line(name, start + slope * moments[0], start + slope * moments[-1], max(values)))
    return lines


def table(lines: Sequence[Line]) -> str:
    width = max(len(line.name) for line in lines)
    rows = [f"{'READING':<{width}} {'FIRST':>14} {'LAST':>14} {'MOST':>14}"]
    rows += [
        f"{line.name:<{width}} {line.first:>14,.1f} {line.last:>14,.1f} {line.most:>14,.1f}"
        + ("" if line.flat else "  GROWS")
        for line in lines
    ]
    return "\n".join(rows)


# -- reading ---------------------------------------------------------------------------------------------------------


def read(squad: RunningSquad) -> Readings:
    """What the squad's processes and its home take now."""
    found: Counter[str] = Counter()
    for pid, title in squad.processes().items():
        role = _role(title)
        if role is None:
            continue
        try:
            files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
            status = Path(f"/proc/{pid}/status").read_text()
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:  # it has ended
            continue
        if (memory := re.search(r"^Pss: +(\d+)", rollup, re.M)) is None:
            continue
        threads = re.search(r"^Threads:\s+(\d+)", status, re.M)
        assert threads is not None
        found["processes"] += 1
        found[f"files of {role}"] += files
        found[f"threads of {role}"] += int(threads[1])
        found[f"memory of {role}"] += int(memory[1]) * 1024
    readings: Readings = dict(found)
    sizes = dict(_files(squad.home))
    readings["entries of home"] = len(sizes)
    readings["bytes of logs"] = sum(size for path, size in sizes.items() if "logs" in path.parts)
    readings["bytes of log ahead"] = sizes.get(squad.home / "squad.db-wal", 0)
    (counted,) = squad.query("SELECT max(id) FROM tasks")
    readings["bytes a message"] = sizes[squad.home / "squad.db"] / max(1, counted[0] or 0)
    return readings


def _role(title: str) -> str | None:
    """Of a process; None for one that comes and goes, such as a command."""
    if not title.startswith("squad: "):
        return None
    name = title.removeprefix("squad: ")
    first = name.partition(" ")[0]
    if first in ("supervisor", "launcher", "admin"):
        return first
    return re.sub(r"-\d+$", "", name).replace(" ", "-")


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in folder.rglob("*"):
        try:
            if not path.is_dir():
                yield path, path.lstat().st_size
        except OSError:  # it came and went
            continue


# -- a run -----------------------------------------------------------------------------------------------------------


class Load:
    """Producers on threads of their own. ``kill`` an agent now and then beside it."""

    def __init__(self, squad: RunningSquad, producers: int = 2) -> None:
        self.sent = 0
        self.refused = 0
        self._squad = squad
        self._over = threading.Event()
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._produce, daemon=True) for _ in range(producers)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _produce(self) -> None:
        while not self._over.is_set():
            with Client(Home(self._squad.home)) as client:  # one of many, as a cron job's is
                for _ in range(20):
                    if self._over.is_set():
                        return
                    self._some(client)

    def _some(self, client: Client) -> None:
        entries = [next(self._numbers) for _ in range(_BATCH)]
        messages: list[dict[str, Any]] = [
            {"recipient": "desk", "type": "entry", "payload": {"entry": n, "how": _how(n)}} for n in entries
        ]
        try:
            self.sent += len(client.send_many(messages))
            while not self._over.is_set() and _waiting(client) > _CROWD:
                self._over.wait(0.05)
        except SquadError:  # the gateway was killed under it, or the mailbox is full
            self.refused += 1
            self._over.wait(0.05)


def _how(number: int) -> str:
    return "raise" if number % 500 == 7 else "stamp" if number % 2_000 == 11 else ""


def _waiting(client: Client) -> int:
    return sum(row.get("queue_depth") or 0 for row in client.tree()["actors"])


def run(
    folder: Path, seconds: float, *, every: float = 5.0, kill_every: float = 15.0, say: Callable[[str], None]
) -> Outcome:
    """A soak in ``folder``. Agents and workers are killed in turn; the core is left to grow if it will."""
    config = folder / "squad.yaml"
    config.write_text(CONFIG)
    readings: list[tuple[float, Readings]] = []
    victims = itertools.cycle(("desk", "clerk", "book", "printer"))
    killed = 0
    with RunningSquad(folder / "home", config) as squad:
        begin = time.monotonic()
        with Load(squad) as load:
            while (now := time.monotonic() - begin) < seconds:
                readings.append((now, read(squad)))
                memory = sum(value for name, value in readings[-1][1].items() if name.startswith("memory"))
                say(f"{now:5.0f} s: {load.sent:,} sent, {memory / 1e6:.0f} MB")
                if now > (killed + 1) * kill_every:
                    squad.kill(next(victims), timeout=60)
                    killed += 1
                for command in (("status",), ("message", "list", "--limit", "5")):
                    squad.cli(*command, status=None)
                time.sleep(max(0.0, every - (time.monotonic() - begin - now)))
        took = time.monotonic() - begin
        eventually(lambda: not _unfinished(squad), "everything has ended", 300)
        ended = dict(map(tuple, squad.query("SELECT status, count(*) FROM tasks GROUP BY status")))
        roots = squad.query("SELECT count(*) FROM tasks WHERE type = 'entry'")[0][0]
    lost = load.sent - roots if roots < load.sent else 0
    return Outcome(load.sent, lost, ended, killed, took, tuple(judge(readings)))


class Outcome(NamedTuple):
    """``sent`` were acknowledged, ``lost`` of them are not stored; ``ended``: messages by status. Times in seconds."""

    sent: int
    lost: int
    ended: Mapping[str, int]
    killed: int
    seconds: float
    lines: tuple[Line, ...]

    @property
    def growing(self) -> list[str]:
        return [line.name for line in self.lines if not line.flat]

    def text(self) -> str:
        handled = sum(self.ended.values())
        return (
            f"{handled:,} messages in {self.seconds:.0f} s ({handled / self.seconds:,.0f} a second), "
            f"{self.killed} kills; "
            f"{dict(self.ended)}\n{table(self.lines)}"
        )


def _unfinished(squad: RunningSquad) -> int:
    return int(squad.query("SELECT count(*) FROM tasks WHERE status IN ('queued', 'running')")[0][0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two readings")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="squad-soak-") as folder:
        outcome = run(
            Path(folder), arguments.minutes * 60, every=arguments.every, say=lambda text: print(text, flush=True)
        )
    print(outcome.text())
    print("FAILED" if outcome.growing or outcome.lost else "passed: nothing grows, nothing is lost")
    return 1 if outcome.growing or outcome.lost else 0


if __name__ == "__main__":
    sys.exit(main())
