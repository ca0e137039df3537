"""Readings while a squad works: how much waits, how much processor time it takes, how much memory.

They are few and cheap, as they compete with what is measured: memory is read rarely, since the kernel walks all pages
of a process for it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from squad.benchmark.numbers import Figures, percentile
from squad.benchmark.processes import Roles, cpu_by_role, pss_of

_EVERY = 0.2  # seconds between two looks at the queues
_SHARE = 50  # times as long as reading the memory took, it is not read again

_WAITING = "SELECT count(*) FROM tasks WHERE status = 'queued'"


class Sampler:
    """Reads from a thread of its own while the ``with`` block runs; then ``figures`` and ``cpu`` tell.

    ``memory``: whether to read that too, for a highest value.
    """

    def __init__(self, database: Path, processes: Roles, *, memory: bool = False) -> None:
        self.cpu: dict[str, float] = {}  # role -> seconds of processor time
        self.highest = 0.0  # MB of all processes together
        self._database = database
        self._processes = processes
        self._memory = memory
        self._depths: list[int] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read, name="sampler", daemon=True)

    def __enter__(self) -> Sampler:
        self._began = time.monotonic()
        self._before = cpu_by_role(self._processes)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        after = cpu_by_role(self._processes)
        self.cpu = {role: max(0.0, seconds - self._before[role]) for role, seconds in after.items()}
        self._lasted = time.monotonic() - self._began
        self._done.set()
        self._thread.join()

    def _read(self) -> None:
        next_memory = 0.0
        with closing(sqlite3.connect(f"file:{quote(str(self._database))}?mode=ro", uri=True, timeout=5)) as database:
            while not self._done.wait(_EVERY):
                self._depths.append(database.execute(_WAITING).fetchone()[0])
                began = time.monotonic()
                if self._memory and began >= next_memory:
                    self.highest = max(self.highest, pss_of(self._processes))
                    now = time.monotonic()
                    next_memory = now + _SHARE * (now - began)

    def figures(self) -> Figures:
        """``cpu_percent``, of all cores together, and ``queue_depth_p95``, which is 0 when it was over at once."""
        used = sum(self.cpu.values())
        return {
            "cpu_percent": 100 * used / self._lasted / (os.cpu_count() or 1),
            "queue_depth_p95": float(percentile(self._depths, 95)) if self._depths else 0.0,
        }
