"""What long-lived processes take of the machine: read twice, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from squad.verify.targets import Targets

_KINDS = ("storage", "gateway", "monitor", "scheduler", "supervisor", "admin", "launcher")
_MORE_DESCRIPTORS = 24  # that come and go
_MORE_THREADS = 8
_MORE_MEMORY = 0.5  # of what it had, and
_MORE_BYTES = 48 * 2**20


class Use(NamedTuple):
    descriptors: int
    threads: int
    memory: int  # bytes, resident


class Growth(NamedTuple):
    """One process: what it took at first and at last."""

    name: str
    first: Use
    last: Use

    def complaints(self) -> list[str]:
        """How it is not flat, as sentences."""
        first, last = self.first, self.last
        found = []
        if last.descriptors > first.descriptors + _MORE_DESCRIPTORS:
            found.append(f"{self.name} has {last.descriptors} open files and had {first.descriptors}")
        if last.threads > first.threads + _MORE_THREADS:
            found.append(f"{self.name} has {last.threads} threads and had {first.threads}")
        if last.memory > first.memory * (1 + _MORE_MEMORY) and last.memory > first.memory + _MORE_BYTES:
            found.append(f"{self.name} has {last.memory >> 20} MiB and had {first.memory >> 20}")
        return found


Readings = dict[tuple[int, int], tuple[str, Use]]  # by pid and when it was started


def read(home: Path) -> Readings:
    """Of the squad's core and what is above it."""
    found: Readings = {}
    with Targets(home, _KINDS) as targets:
        for target in targets:
            if (use := _use(Path(f"/proc/{target.pid}"))) is not None:
                found[target.pid, target.started] = target.name, use
    return found


def compare(first: Readings, last: Readings) -> list[Growth]:
    """Of the processes that are in both."""
    return [Growth(name, use, last[key][1]) for key, (name, use) in first.items() if key in last]


def _use(process: Path) -> Use | None:
    try:
        descriptors = sum(1 for _ in (process / "fd").iterdir())
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
    except OSError:  # it has ended
        return None
    return Use(descriptors, int(status["Threads"]), int(status["VmRSS"].split()[0]) * 1024)
