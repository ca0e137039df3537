"""CPU and memory of the squad's processes, read so that many idle ones cost next to nothing.

One file of ``/proc`` is read for each process. What is below it (commands, and whatever else an agent started) takes
several, and is looked for only where there may be something: where the process has used the CPU, had somebody below it
the last time, or was not looked at for a few rounds.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

from squad.actors.commandrun import TITLE

_TICK = os.sysconf("SC_CLK_TCK")  # of processor time, in a second
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST = 1 << 16  # bytes of a file
_ROUNDS = 5  # after which even an idle process is looked below of
_UTIME, _STIME, _STARTED, _RESIDENT = 11, 12, 19, 21  # in /proc/PID/stat, counted from behind the name


class _Stat(NamedTuple):
    started: int  # ticks since the machine's start: tells a process from another with its pid
    ticks: int  # of processor time so far
    memory: int  # resident bytes
    at: float  # monotonic


class Meter:
    """Readings of processes, each compared with the one before. Call ``next_round``, then ``read`` for each."""

    def __init__(self) -> None:
        self._round = 0
        self._known: dict[int, _Stat] = {}
        self._before: dict[int, _Stat] = {}
        self._below: dict[int, list[int]] = {}  # as they were found last

    def next_round(self) -> None:
        """Forget the processes that were not met since the last call."""
        self._round += 1
        self._before, self._known = self._known, {}
        self._below = {pid: below for pid, below in self._below.items() if pid in self._before}

    def read(self, pid: int) -> tuple[float, int] | None:
        """(CPU percent of one core since the last round, resident bytes) of a process and all that are below it.

        None when it has ended. The CPU of one that is new is 0.
        """
        before = self._before.get(pid)
        own = self._one(pid)
        if own is None:
            return None
        cpu, memory = own
        looks = (self._round + pid) % _ROUNDS == 0 or before is None or before.ticks != self._known[pid].ticks
        if looks or self._below.get(pid):
            self._below[pid] = list(descendants(pid))
        for below in self._below.get(pid, ()):
            if (found := self._one(below)) is not None:
                cpu, memory = cpu + found[0], memory + found[1]
        return cpu, memory

    def _one(self, pid: int) -> tuple[float, int] | None:
        now = _stat(pid)
        if now is None:
            return None
        self._known[pid] = now
        before = self._before.get(pid)
        if before is None or before.started != now.started or now.at <= before.at:
            return 0.0, now.memory
        return round(100 * (now.ticks - before.ticks) / _TICK / (now.at - before.at), 1), now.memory


def resident(pid: int) -> int | None:
    """Bytes of memory that a process has; None when it has ended."""
    found = _stat(pid)
    return None if found is None else found.memory


def _stat(pid: int) -> _Stat | None:
    data = _content(f"/proc/{pid}/stat")
    if not data:
        return None
    fields = data[data.rindex(b")") + 2 :].split()
    ticks = int(fields[_UTIME]) + int(fields[_STIME])
    return _Stat(int(fields[_STARTED]), ticks, int(fields[_RESIDENT]) * _PAGE, time.monotonic())


def descendants(pid: int) -> list[int]:
    """The pids below a process. A nursery is left out: its memory is the agent's, but for a little."""
    found = []
    for child in _children(pid):
        if not _is_nursery(child):
            found.append(child)
        found += descendants(child)
    return found


def _children(pid: int) -> list[int]:
    """Empty also where the kernel does not say (it was built without CONFIG_PROC_CHILDREN)."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it ended
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names
            found += map(int, _content(f"/proc/{pid}/task/{thread}/children").split())
    return found


def _is_nursery(pid: int) -> bool:
    title = _content(f"/proc/{pid}/cmdline").rstrip(b"\0")
    return title.startswith(b"squad: ") and title.endswith(TITLE.encode())


def _content(path: str) -> bytes:
    """Of a file in /proc; empty when the process has ended. A third of what ``Path.read_bytes`` takes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _MOST)
        finally:
            os.close(descriptor)
    except OSError:
        return b""
