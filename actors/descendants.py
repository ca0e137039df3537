"""What the processes below an agent's own take of the machine: its commands, and whatever else it started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

from squad.actors.commandrun import TITLE


class Descendants:
    """Readings of the processes below others. Those of one ``read`` are compared with the one before."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._before: dict[int, psutil.Process] = {}

    def next_round(self) -> None:
        """Forget the processes that were not met since the last call."""
        self._before, self._known = self._known, {}

    def read(self, pid: int) -> tuple[float, int]:
        """(CPU percent of one core since the last round, resident bytes) of all processes below this one together."""
        cpu, memory = 0.0, 0
        for below in _below(pid):
            with contextlib.suppress(psutil.Error):  # it ended in between
                process = self._before.get(below)
                if process is None or not process.is_running():  # or its pid is another's now
                    process = psutil.Process(below)
                with process.oneshot():
                    cpu += process.cpu_percent()
                    memory += process.memory_info().rss
                self._known[below] = process
        return cpu, memory


def _below(pid: int) -> Iterator[int]:
    """The pids below a process. A nursery is left out: its memory is the agent's, but for a little."""
    for child in _children(pid):
        if not _is_nursery(child):
            yield child
        yield from _below(child)


def _children(pid: int) -> list[int]:
    """Empty also where the kernel does not say (it was built without CONFIG_PROC_CHILDREN)."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _is_nursery(pid: int) -> bool:
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0")
    except OSError:
        return False
    return title.startswith(b"squad: ") and title.endswith(TITLE.encode())
