"""Processor time and memory of a squad's processes, by their roles: launcher, supervisor, storage, agents, ..."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from squad.benchmark.squads import ThrowAway
from squad.launcher import processes

AGENTS = "agents"
_ROLES = {"agent": AGENTS, "worker": AGENTS}

Roles = Mapping[int, str]
"""Process id -> role."""


def roles(squad: ThrowAway) -> dict[int, str]:
    """Every process of the squad. Those that the tree does not name, such as the warden, are ``others``."""
    found = dict.fromkeys(processes.marked().get(squad.home.path, ()), "others")
    for row in squad.client.tree()["actors"]:
        if row["pid"]:
            found[row["pid"]] = _ROLES.get(row["kind"], row["kind"])
    found[squad.launcher] = "launcher"
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used since it began, its ended threads included; 0 if it has ended.

    Read from the clock that the kernel keeps for each process, to the nanosecond: /proc counts in hundredths of a
    second, too coarse for one that does almost nothing.
    """
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # as clock_getcpuclockid(3) makes it
    return 0.0


def cpu_by_role(processes: Roles) -> dict[str, float]:
    found: dict[str, float] = {}
    for pid, role in processes.items():
        found[role] = found.get(role, 0.0) + cpu_seconds(pid)
    return found


def pss(pid: int) -> float:
    """MB (millions of bytes) of a process, shared pages divided among those that share them; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def pss_by_role(processes: Roles) -> dict[str, float]:
    found: dict[str, float] = {}
    for pid, role in processes.items():
        found[role] = found.get(role, 0.0) + pss(pid)
    return found


def pss_of(pids: Iterable[int]) -> float:
    return sum(map(pss, pids))
