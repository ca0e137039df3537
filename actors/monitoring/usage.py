"""CPU and memory of the squad's processes, read so that many idle ones cost next to nothing.

One file of ``/proc`` is read for each process, and for its nursery. What is below them (commands, and whatever else an
agent started) takes several, and is looked for only where there may be something: where one of the two has used the
CPU, had somebody below it the last time, or was not looked at for a few rounds.

Commands may come and go between two readings. What they used is not lost: the kernel adds it to their parent's account
when that collects their exit status.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from squad.actors.agents.commandrun import TITLE

_TICK = os.sysconf("SC_CLK_TCK")  # of processor time, in a second
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST = 1 << 16  # bytes of a file
_ROUNDS = 5  # after which even an idle process is looked below of
_TIMES = slice(11, 15)  # in /proc/PID/stat, counted from behind the name: utime, stime, cutime, cstime
_STARTED, _RESIDENT = 19, 21


class _Stat(NamedTuple):
    started: int  # ticks since the machine's start: tells a process from another with its pid
    ticks: int  # of processor time so far, with that of its children that have ended
    memory: int  # resident bytes


class _Tree(NamedTuple):
    """A reading of a process and all that are below it."""

    at: float  # ticks since the machine's start
    stats: dict[int, _Stat]  # by pid
    nurseries: frozenset[int]  # which of them are
    ticks: int  # that were used since the reading before

    def since(self, before: _Tree) -> _Tree:
        """With its ticks. Negative: somebody went, and the account of who collected it had been read just before."""
        used = sum(stat.ticks for stat in self.stats.values()) - sum(stat.ticks for stat in before.stats.values())
        for pid, stat in self.stats.items():
            known = before.stats.get(pid)
            if (known is None or known.started != stat.started) and stat.started < int(before.at):
                used -= stat.ticks  # it was overlooked: nobody knows when it used them
        return self._replace(ticks=used)


class Meter:
    """Readings of processes, each compared with the one before. Call ``next_round``, then ``read`` for each."""

    def __init__(self) -> None:
        self._round = 0
        self._known: dict[int, _Tree] = {}
        self._before: dict[int, _Tree] = {}

    def next_round(self) -> None:
        """Forget the processes that were not met since the last call."""
        self._round += 1
        self._before, self._known = self._known, {}

    def read(self, pid: int) -> tuple[float, int] | None:
        """(CPU percent of one core since the last round, resident bytes) of a process and all that are below it.

        None when it has ended. The CPU of one that is new is 0. The memory is without its nursery's, which is the
        process's own, but for a little.
        """
        at = time.clock_gettime(time.CLOCK_BOOTTIME) * _TICK
        own, before = _stat(pid), self._before.get(pid)
        if own is None:
            return None
        if before is not None and before.stats[pid].started != own.started:
            before = None
        now = self._tree(pid, own, before, at)
        cpu = 0.0
        if before is not None and at > before.at:
            now = now.since(before)
            cpu = round(100 * max(0, now.ticks + min(0, before.ticks)) / (at - before.at), 1)
        self._known[pid] = now
        return cpu, sum(stat.memory for each, stat in now.stats.items() if each not in now.nurseries)

    def _tree(self, pid: int, own: _Stat, before: _Tree | None, at: float) -> _Tree:
        stats = {pid: own}
        nurseries = frozenset[int]() if before is None else before.nurseries
        _add(stats, nurseries)
        if (
            before is None
            or (self._round + pid) % _ROUNDS == 0
            or before.stats.keys() != stats.keys()
            or any(stat.ticks != before.stats[each].ticks for each, stat in stats.items())
        ):
            below = _below(pid)
            nurseries = frozenset(each for each, is_nursery in below.items() if is_nursery)
            stats = {each: stat for each, stat in stats.items() if each == pid or each in nurseries}
            _add(stats, below.keys() - stats.keys())
        return _Tree(at, stats, nurseries & stats.keys(), 0)


def _add(stats: dict[int, _Stat], pids: Iterable[int]) -> None:
    """Those that have not ended."""
    for pid in pids:
        if (found := _stat(pid)) is not None:
            stats[pid] = found


def resident(pid: int) -> int | None:
    """Bytes of memory that a process has; None when it has ended."""
    found = _stat(pid)
    return None if found is None else found.memory


def _stat(pid: int) -> _Stat | None:
    data = _content(f"/proc/{pid}/stat")
    if not data:
        return None
    fields = data[data.rindex(b")") + 2 :].split()
    return _Stat(int(fields[_STARTED]), sum(map(int, fields[_TIMES])), int(fields[_RESIDENT]) * _PAGE)


def descendants(pid: int) -> list[int]:
    """The pids below a process. A nursery is left out: it ends by itself, with what it runs."""
    return [each for each, is_nursery in _below(pid).items() if not is_nursery]


def _below(pid: int) -> dict[int, bool]:
    """The pids below a process, and whether each is a nursery."""
    found = {}
    for child in _children(pid):
        found[child] = _is_nursery(child)
        found |= _below(child)
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
