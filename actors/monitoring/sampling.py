"""The monitor's readings as metrics: gathered between two tellings, so that a minute is one value of each.

A reading of a convoy is the sum of its workers' readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from squad.store.metrics.journal import Measured
from squad.store.metrics.summary import Summary


class Samples:
    """``owner``: the name of the agent or convoy, or of the part of the core, whose process it is."""

    def __init__(self, owner: Callable[[str], str]) -> None:
        self._owner = owner
        self._gauges: dict[tuple[str, str], Summary] = {}

    def processes(self, readings: Iterable[tuple[str, float, int]]) -> None:
        """Of all processes at one time: name, CPU percent of a core, resident bytes."""
        sums: dict[str, tuple[float, int]] = {}
        for name, cpu, memory in readings:
            owner = self._owner(name)
            before = sums.get(owner, (0.0, 0))
            sums[owner] = before[0] + cpu, before[1] + memory
        for owner, (cpu, memory) in sums.items():
            self._gauge("cpu_percent", owner, cpu)
            self._gauge("memory_bytes", owner, memory)

    def convoys(self, sizes: Iterable[tuple[str, int]]) -> None:
        """Name and number of workers."""
        for name, size in sizes:
            self._gauge("convoy_size", name, size)

    def machine(self, cpu: float, memory: float, available: int, processes: int, throttle: float) -> None:
        """As in ``store/recording.py``."""
        for name, value in (
            ("machine_cpu_percent", cpu),
            ("machine_memory_percent", memory),
            ("machine_available_bytes", available),
            ("processes", processes),
            ("throttle_seconds", throttle),
        ):
            self._gauge(name, "", value)

    def take(self) -> tuple[Measured, ...]:
        """What was gathered since the last call."""
        gauges, self._gauges = self._gauges, {}
        return tuple(Measured(name, owner, "", "gauge", summary) for (name, owner), summary in gauges.items())

    def _gauge(self, name: str, owner: str, value: float) -> None:
        known = self._gauges.get((name, owner))
        if known is None:
            self._gauges[name, owner] = Summary.gauged(value)
        else:
            known.add(Summary.gauged(value))
