"""Whether processes keep to their ceilings of memory and CPU. Pure: readings and times in, verdicts out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

_NEAR = 0.8  # part of a ceiling of memory at which somebody is told
_CALM = 0.7  # part below which the next time counts as new
_IN_A_ROW = 2  # readings over a ceiling of memory: one alone may have caught a moment, such as a fork
_EARLY = 0.25  # part of the window of a ceiling of CPU after which somebody is told


class Ceiling(NamedTuple):
    """For a process and all that are below it. None: none."""

    memory: int | None = None  # bytes, resident
    cpu: float | None = None  # percent of one core, on average over the window


class Verdict(NamedTuple):
    """``over``: the ceiling is broken, and the process must go. Else it is only near."""

    over: bool
    what: str


@dataclass(slots=True)
class _Watched:
    over: int = 0  # readings of memory in a row
    near_memory: bool = False  # said already
    near_cpu: bool = False
    spans: deque[tuple[float, float, float]] = field(default_factory=deque)  # from, to, percent of a core


class Ceilings:
    """Of all processes. ``window``: the seconds over which CPU is averaged."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._watched: dict[str, _Watched] = {}
        self._last: dict[str, float] = {}

    def forget(self, worker: str) -> None:
        self._watched.pop(worker, None)
        self._last.pop(worker, None)

    def look(self, worker: str, ceiling: Ceiling, cpu: float, memory: int, now: float) -> list[Verdict]:
        """What to say about a reading: ``cpu`` in percent of a core since the one before, ``memory`` in bytes."""
        if ceiling == (None, None):
            return []
        watched = self._watched.setdefault(worker, _Watched())
        before, self._last[worker] = self._last.get(worker), now
        if before is not None:
            watched.spans.append((before, now, cpu))
        return [*self._memory(watched, ceiling.memory, memory), *self._cpu(watched, ceiling.cpu, now)]

    @staticmethod
    def _memory(watched: _Watched, most: int | None, memory: int) -> list[Verdict]:
        if most is None:
            return []
        shown = f"{memory / 1e6:.0f} MB of memory; its ceiling is {most / 1e6:.0f} MB"
        watched.over = watched.over + 1 if memory > most else 0
        if watched.over >= _IN_A_ROW:
            return [Verdict(True, f"it has {shown}")]
        if memory >= _NEAR * most and not watched.near_memory:
            watched.near_memory = True
            return [Verdict(False, f"it has {shown}")]
        watched.near_memory = watched.near_memory and memory >= _CALM * most
        return []

    def _cpu(self, watched: _Watched, most: float | None, now: float) -> list[Verdict]:
        if most is None:
            return []
        spans = watched.spans
        while spans and spans[0][1] <= now - self._window:
            spans.popleft()
        if not spans:
            return []
        mean, known = _mean(spans, now - self._window)
        shown = f"it used {mean:.0f} % of a core over {known:.0f} s; its ceiling is {most:.0f} %"
        if mean > most and known >= self._window:
            return [Verdict(True, shown)]
        if mean > most and known >= _EARLY * self._window and not watched.near_cpu:
            watched.near_cpu = True
            return [Verdict(False, shown)]
        watched.near_cpu = watched.near_cpu and mean > _CALM * most
        return []


def _mean(spans: deque[tuple[float, float, float]], since: float) -> tuple[float, float]:
    """(average percent, seconds that it is known of) from ``since`` on."""
    used = known = 0.0
    for begin, end, percent in spans:
        length = end - max(begin, since)
        used, known = used + percent * length, known + length
    return (used / known if known else 0.0), known
