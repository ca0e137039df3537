"""One look at a squad: its tree, its messages, how long they take, and the machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from squad.cli.snapshot import Row, Snapshot, take
from squad.cli.top.rates import KEPT, WINDOW, Rates
from squad.home import Home

if TYPE_CHECKING:
    from peewee import Database

    from squad.store.bottlenecks import Ended
    from squad.store.database import Pool
    from squad.store.metrics import Summary

LATENCY_WINDOW = 300.0  # seconds over which percentiles are taken
_LATENCIES_AGAIN = 5.0  # seconds between two readings of them: they are recorded every ten seconds or so
_SETTLED = 0.25  # seconds after which what has ended is committed, and is counted
_MOST = 5000  # messages that are read for a rate; when more have ended, the rate is that of the newest


class Percentiles(NamedTuple):
    """Milliseconds."""

    p50: float
    p95: float
    p99: float


class Latency(NamedTuple):
    """Of one agent or convoy; None: none was handled lately."""

    handling: Percentiles | None
    waiting: Percentiles | None


@dataclass(frozen=True, slots=True)
class Look:
    """``totals``: messages by status. ``latencies``: by agent and convoy. Percents are of the whole machine."""

    at: float  # seconds since the epoch
    snapshot: Snapshot
    totals: Mapping[str, int]
    rates: Rates
    latencies: Mapping[str, Latency]
    cpu_percent: float
    memory_percent: float
    cpu_line: list[float] = field(default_factory=list)  # percents at each look, the newest last
    memory_line: list[float] = field(default_factory=list)  # likewise
    queue_line: list[float] = field(default_factory=list)  # messages queued, likewise

    def rate(self, row: Row) -> float | None:
        """Messages of this actor that ended, a second; None for one that handles none."""
        return self.rates.of(row["name"]) if row["kind"] in ("agent", "convoy", "worker") else None


class Observer:
    """Looks again and again. For one thread at a time."""

    def __init__(self, home: Home) -> None:
        import psutil

        self._home = home
        self._pool: Pool | None = None
        self._version = -1
        self._totals: dict[str, int] = {}
        self._until: float | None = None  # what ended up to then is counted
        self._rates = Rates()
        self._latencies: dict[str, Latency] = {}
        self._latencies_due = 0.0  # monotonic
        self._cpu_line: list[float] = []
        self._memory_line: list[float] = []
        self._queue_line: list[float] = []
        psutil.cpu_percent()  # the first reading is only a starting point

    def look(self) -> Look:
        """As it is now. Raises NotRunningError and WaitTimeoutError as ``take``, StoreError."""
        import psutil

        snapshot = take(self._home)
        now = time.time()
        if self._home.database.exists():
            if self._pool is None:
                from squad.store.database import open_reader

                self._pool = open_reader(self._home.database)
            with self._pool.connection() as database:
                self._read(database, now)
        cpu, memory = psutil.cpu_percent(None if self._cpu_line else 0.1), psutil.virtual_memory().percent
        self._cpu_line = [*self._cpu_line[1 - KEPT :], cpu]
        self._memory_line = [*self._memory_line[1 - KEPT :], memory]
        self._queue_line = [*self._queue_line[1 - KEPT :], float(self._totals.get("queued", 0))]
        return Look(
            at=now,
            snapshot=snapshot,
            totals=self._totals,
            rates=self._rates,
            latencies=self._latencies,
            cpu_percent=cpu,
            memory_percent=memory,
            cpu_line=self._cpu_line,
            memory_line=self._memory_line,
            queue_line=self._queue_line,
        )

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()

    def _read(self, database: Database, now: float) -> None:
        from squad.store import bottlenecks, queries
        from squad.store.database import ReadOnlyDatabase

        version = database.version() if isinstance(database, ReadOnlyDatabase) else None
        if version is None or version != self._version:
            self._totals, self._version = queries.totals(database), version or 0
        until = now - _SETTLED
        since = until - WINDOW if self._until is None or not 0 < until - self._until < WINDOW else self._until
        self._until = until
        self._count(bottlenecks.ended(database, since, until, _MOST), since)
        if time.monotonic() >= self._latencies_due:
            self._latencies_due = time.monotonic() + _LATENCIES_AGAIN
            self._latencies = _latencies(database, now)

    def _count(self, ended: Ended, since: float) -> None:
        seconds = ended.until - since
        # All of the newest may have ended within one millisecond.
        counted = max(ended.until - ended.since, 0.001)
        self._rates = self._rates.after(seconds, ended.total, ended.counts, counted)


def _latencies(database: Database, now: float) -> dict[str, Latency]:
    from squad.store import metrics

    handling, waiting = (
        {
            name: _percentiles(found)
            for name, found in metrics.window(database, metric, now - LATENCY_WINDOW, now, by="agent").items()
        }
        for metric in ("handling_ms", "waiting_ms")
    )
    return {name: Latency(handling.get(name), waiting.get(name)) for name in handling.keys() | waiting.keys()}


def _percentiles(found: Summary) -> Percentiles | None:
    values = [found.percentile(q) for q in (0.5, 0.95, 0.99)]
    p50, p95, p99 = values
    return None if p50 is None or p95 is None or p99 is None else Percentiles(p50, p95, p99)
