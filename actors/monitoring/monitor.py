"""The monitor: reads CPU and memory of the machine and of every process of the squad. It sizes convoys by them, holds
agents to their ceilings, and has the squad held back while the machine is overloaded."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import psutil

from squad.actors import logs
from squad.actors.alerting.live import live
from squad.actors.alerting.watch import Watch
from squad.actors.base import Actor, receives
from squad.actors.monitoring.ceilings import Ceiling, Ceilings
from squad.actors.monitoring.sampling import Samples
from squad.actors.monitoring.sizing import Sizer
from squad.actors.monitoring.throttle import Throttle
from squad.actors.monitoring.usage import Meter
from squad.actors.protocol import (
    Address,
    Begin,
    Drain,
    Drained,
    Machine,
    OverCeiling,
    Ping,
    Pong,
    Readings,
    Record,
    Report,
    Resize,
    Roster,
    Started,
    StorageAt,
)
from squad.errors import StoreError
from squad.store import queries, waiting
from squad.store.database import Pool, open_pool
from squad.store.holds import Holds

_RESTING = 4  # intervals that are let pass while no process does anything
_BUSY = 1.0  # percent of a core: less is nothing
_MEASURED = 3  # readings of a worker before its memory replaces the configured estimate
_SAMPLED = 60.0  # seconds between readings of the machine that are kept
_ALERTS = "alerts"


class Monitor(Actor):
    """Told by the supervisor which processes exist (Roster); tells it how they are (Readings) and what size convoys
    should have (Resize), which is over its ceiling (OverCeiling), and how the machine is (Machine)."""

    def __init__(self) -> None:
        super().__init__()
        self._meter = Meter()
        self._seen: dict[str, int] = {}  # worker -> readings so far
        self._told: dict[str, tuple[float, int]] = {}  # worker -> the last reading that the supervisor has
        self._memory: dict[str, int] = {}  # worker -> resident bytes, at the last reading
        self._rest = self._resting = 0  # intervals until the next reading, and how many the last rest had
        self._roster = Roster(())
        self._sizers: dict[str, Sizer] = {}
        self._pool: Pool | None = None
        self._holds = Holds()  # as the store had it last

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
        self._ceilings = Ceilings(rules.cpu_window)
        self._limits: dict[str, Ceiling] = {}  # by name of the agent or convoy
        for name, settings in msg.config.recipients.items():
            if settings.max_memory_mb is not None or settings.max_cpu_percent is not None:
                most = settings.max_memory_mb
                self._limits[name] = Ceiling(None if most is None else most * 1_000_000, settings.max_cpu_percent)
        self._allowed = {name: limit.memory for name, limit in self._limits.items() if limit.memory is not None}
        self._samples = Samples(self._owner)
        self._names = frozenset(msg.config.recipients)
        self._throttle = Throttle(rules.cpu_threshold, rules.memory_threshold, rules.max_throttle)
        self._sample_at = 0.0  # monotonic: when the next sample is due
        self._cores = len(os.sched_getaffinity(0))
        self._cpu, self._machine = psutil.cpu_percent(), psutil.virtual_memory()  # the first is only a starting point
        self._storage: Address = msg.storage
        self._watch = Watch(msg.config, time.monotonic(), logs.logger("monitor"))
        self.after(msg.config.alerts.every, _ALERTS)
        self.tell(sender, Started(self._worker))
        self.tell(sender, Report(self._worker, "ready"))
        self._wait(rules.interval)

    @receives(Roster)
    def on_roster(self, msg: Roster, sender: Address) -> None:
        self._roster = msg
        current = {worker for worker, _ in msg.processes}
        for worker in self._seen.keys() - current:
            del self._seen[worker]
            self._told.pop(worker, None)
            self._ceilings.forget(worker)

    @receives(StorageAt)
    def on_storage_at(self, msg: StorageAt, sender: Address) -> None:
        self._storage = msg.address

    @receives(Ping)
    def on_ping(self, msg: Ping, sender: Address) -> None:
        self.tell(sender, Pong(msg.number, self._worker))

    @receives(Drain)
    def on_drain(self, msg: Drain, sender: Address) -> None:
        self.tell(self._supervisor, Drained(self._worker))

    def on_timer(self, token: Any) -> None:
        if token == _ALERTS:
            self._look_for_alerts()
            return
        started = time.monotonic()
        intervals = 1
        if self._rest == 0:
            self._rest = self._resting = 0 if self._read() else min(self._resting + 1, _RESTING)
        else:
            self._rest -= 1
        self._look_at_machine(started)
        if not all(pinned for _name, _size, pinned, _workers in self._roster.convoys):
            self._size()
        else:
            intervals, self._rest = 1 + self._rest, 0
        # A reading of many processes takes its time: never spend more than a tenth of a core on it.
        self._wait(max(intervals * self._config.monitor.interval, 10 * (time.monotonic() - started)))

    def _wait(self, seconds: float) -> None:
        self._due_at = time.monotonic() + seconds
        self.after(seconds, "read")

    def _look_at_machine(self, now: float) -> None:
        """Decide how much the squad is held back; keep a reading now and then, and whenever that changes."""
        self._cpu, self._machine = psutil.cpu_percent(), psutil.virtual_memory()
        decided = self._throttle.decide(self._cpu, self._machine.percent, now - self._due_at)
        processes = len(self._roster.processes)
        sample = (self._cpu, self._machine.percent, self._machine.available, processes, self._throttle.pause)
        self._samples.machine(*sample)
        self._samples.convoys((name, len(workers)) for name, _size, _pinned, workers in self._roster.convoys)
        if decided is None and now < self._sample_at:
            return
        self._sample_at = now + _SAMPLED
        self.tell(self._supervisor, Machine(sample, "" if decided is None else decided[1], self._samples.take()))

    def _look_for_alerts(self) -> None:
        """What the storage does not hear of is found out again. A squad that stops is no reason for anything."""
        spent = time.process_time()
        if not self._roster.stopping:
            memory, pause = self._machine.percent, self._throttle.pause
            facts = live(self._roster, self._owner, self._memory, self._allowed, memory, pause)
            changes = self._watch.look(facts, self._database(), time.time(), time.monotonic())
            if changes:
                self.tell(self._storage, Record(alerts=changes))
        # With very many busy agents a look takes its time: never spend more than half a percent of a core on it.
        self.after(max(self._config.alerts.every, 200 * (time.process_time() - spent)), _ALERTS)

    def _database(self) -> Pool | None:
        """None while it cannot be opened."""
        try:
            self._pool = self._pool or open_pool(self._home / "squad.db", self._config.store)
        except StoreError as error:
            logs.logger("monitor").warning("cannot open the database: %s", error)
        return self._pool

    def _owner(self, worker: str) -> str:
        """The agent, the convoy or the part of the core whose process it is."""
        name = worker.rpartition(".")[0]
        convoy = name.rpartition("-")[0]  # "checker-2" is a worker of "checker", unless an agent is called so
        return convoy if name not in self._names and convoy in self._sizers else name

    def _judge(self, worker: str, cpu: float, memory: int) -> None:
        """Whether it keeps to its ceilings."""
        ceiling = self._limits.get(self._owner(worker))
        if ceiling is not None:
            for verdict in self._ceilings.look(worker, ceiling, cpu, memory, time.monotonic()):
                self.tell(self._supervisor, OverCeiling(worker, verdict.what, verdict.over))

    def _read(self) -> bool:
        """Read all processes, and tell what is new. Whether any of them does something."""
        self._meter.next_round()
        self._memory = {}
        news = []
        readings = []
        for worker, pid in self._roster.processes:
            reading = self._meter.read(pid)
            if reading is None:  # it ended in between; the supervisor knows sooner than we do
                continue
            self._seen[worker] = self._seen.get(worker, 0) + 1
            self._memory[worker] = reading[1]
            readings.append((worker, *reading))
            self._judge(worker, *reading)
            if self._told.get(worker) != reading:
                self._told[worker] = reading
                news.append((worker, *reading))
        self._samples.processes(readings)
        if news:
            self.tell(self._supervisor, Readings(tuple(news)))
        return any(cpu >= _BUSY for _worker, cpu, _memory in news)

    def _size(self) -> None:
        memory = self._memory
        depth = self._depths()
        if depth is None:
            return
        cpu, machine = self._cpu, self._machine
        for name, size, pinned, workers in self._roster.convoys:
            if pinned or self._holds.hold(name):  # what waits for a paused convoy is no reason to let it grow
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
                cpu,
                machine.percent,
                machine.available,
                per_worker,
                self._cores,
            )
            if decided is not None:
                new, reason = decided
                shown = {
                    "cpu_percent": cpu,
                    "memory_percent": machine.percent,
                    "available": machine.available,
                    "per_worker": per_worker,
                    "queued": queued,
                    "running": running,
                }
                self.tell(self._supervisor, Resize(name, new, reason, json.dumps(shown, separators=(",", ":"))))

    def _depths(self) -> dict[str, tuple[int, int]] | None:
        """Queued and running messages of each recipient; None while the store cannot say."""
        try:
            if (pool := self._database()) is None:
                return None
            with pool.connection() as connection:
                self._holds = waiting.holds(connection)
                return queries.open_counts(connection)
        except StoreError as error:
            logs.logger("monitor").warning("cannot read the queues: %s", error)
            return None
