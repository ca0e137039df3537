"""The monitor: reads CPU and memory of the machine and of every process of the squad, and sizes convoys by them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil

from squad.actors import logs, tree
from squad.actors.base import Actor, receives
from squad.actors.descendants import Descendants
from squad.actors.protocol import (
    Address,
    Begin,
    Drain,
    Drained,
    Ping,
    Pong,
    Readings,
    Report,
    Resize,
    Roster,
    Started,
)
from squad.actors.sizing import Sizer
from squad.errors import StoreError
from squad.store import queries
from squad.store.database import Pool, open_pool

_MEASURED = 3  # readings of a worker before its memory replaces the configured estimate


class Monitor(Actor):
    """Told by the supervisor which processes exist (Roster); tells it how they are (Readings) and what size convoys
    should have (Resize)."""

    def __init__(self) -> None:
        super().__init__()
        self._processes: dict[str, psutil.Process] = {}
        self._seen: dict[str, int] = {}  # worker -> readings so far
        self._roster = Roster(())
        self._descendants = Descendants()
        self._sizers: dict[str, Sizer] = {}
        self._pool: Pool | None = None

    @receives(Begin)
    def on_begin(self, msg: Begin, sender: Address) -> None:
        self._supervisor, self._worker, self._config = sender, msg.worker, msg.config
        self._home = Path(msg.home)
        self.set_title("monitor")
        self.log_to(self._home, "monitor", msg.config.logging)
        rules = msg.config.monitor
        self._sizers = {
            name: Sizer(
                convoy.min,
                convoy.max,
                rules.grow_after,
                rules.shrink_after,
                rules.cpu_threshold,
                rules.memory_threshold,
            )
            for name, convoy in msg.config.convoys.items()
        }
        self._cores = len(os.sched_getaffinity(0))
        psutil.cpu_percent()  # the first reading is only a starting point
        self.tell(sender, Started(self._worker))
        self.tell(sender, Report(self._worker, "ready"))
        self.after(rules.interval, "read")

    @receives(Roster)
    def on_roster(self, msg: Roster, sender: Address) -> None:
        self._roster = msg
        current = {worker for worker, _ in msg.processes}
        for worker in set(self._processes) - current:
            self._processes.pop(worker, None)
            self._seen.pop(worker, None)

    @receives(Ping)
    def on_ping(self, msg: Ping, sender: Address) -> None:
        self.tell(sender, Pong(msg.number, self._worker))

    @receives(Drain)
    def on_drain(self, msg: Drain, sender: Address) -> None:
        self.tell(self._supervisor, Drained(self._worker))

    def on_timer(self, token: Any) -> None:
        started = time.monotonic()
        self._read()
        # A reading of many processes takes its time: never spend more than a tenth of a core on it.
        self.after(max(self._config.monitor.interval, 10 * (time.monotonic() - started)), "read")

    def _read(self) -> None:
        self._descendants.next_round()
        found = [
            (worker, *reading)
            for worker, pid in self._roster.processes
            if (reading := self._process(worker, pid)) is not None
        ]
        memory = psutil.virtual_memory()
        readings = Readings(tuple(found), psutil.cpu_percent(), memory.percent, memory.available)
        self.tell(self._supervisor, readings)
        if self._roster.convoys:
            self._size(readings)

    def _process(self, worker: str, pid: int) -> tuple[float, int] | None:
        """CPU percent of one core since the last reading, and resident bytes; what it started is part of both."""
        try:
            process = self._processes.get(worker)
            if process is None or process.pid != pid:
                process = self._processes[worker] = psutil.Process(pid)
                self._seen[worker] = 0
            self._seen[worker] += 1
            with process.oneshot():
                cpu, memory = process.cpu_percent(), process.memory_info().rss
            cpu_below, memory_below = self._descendants.read(pid)
        except psutil.Error:  # it ended in between; the supervisor knows sooner than we do
            self._processes.pop(worker, None)
            return None
        return cpu + cpu_below, memory + memory_below

    def _size(self, readings: Readings) -> None:
        depth = self._depths()
        if depth is None:
            return
        memory = {worker: used for worker, _, used in readings.workers}
        for name, size, pinned, workers in self._roster.convoys:
            if pinned:
                continue
            queued, running = depth.get(name, (0, 0))
            known = [
                memory[worker] for worker in workers if self._seen.get(worker, 0) >= _MEASURED and worker in memory
            ]
            per_worker = max(known) if known else self._config.convoys[name].memory_per_worker
            decided = self._sizers[name].decide(
                size,
                queued,
                min(running, size),
                readings.cpu_percent,
                readings.memory_percent,
                readings.available,
                per_worker,
                self._cores,
            )
            if decided is not None:
                new, reason = decided
                shown = {
                    "cpu_percent": readings.cpu_percent,
                    "memory_percent": readings.memory_percent,
                    "available": readings.available,
                    "per_worker": per_worker,
                    "queued": queued,
                    "running": running,
                }
                self.tell(self._supervisor, Resize(name, new, reason, tree.as_json(shown)))

    def _depths(self) -> dict[str, tuple[int, int]] | None:
        """Queued and running messages of each recipient; None while the store cannot say."""
        try:
            if self._pool is None:
                self._pool = open_pool(self._home / "squad.db", self._config.store)
            with self._pool.connection() as connection:
                return queries.open_counts(connection)
        except StoreError as error:
            logs.logger("monitor").warning("cannot read the queues: %s", error)
            return None
