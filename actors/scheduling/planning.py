"""What a schedule does at a moment: run a planned time, pass over missed ones, or wait.

Pure: no clock, no database. All moments are wall-clock seconds since the epoch. A schedule is known by its ``mark``:
up to that moment all its planned times have been dealt with. The mark is kept in the store and only ever grows, so
whatever the clock does and whoever dies, no planned time is dealt with twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from squad.cron import Timetable

ON_TIME = 60.0  # seconds by which a run may be late and not count as missed: a restart of the storage fits in
MOST_COUNTED = 1000  # missed runs of one gap; there may have been more

Missed = Literal["skip", "once", "all"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Planned times that passed by more than ON_TIME without a run. ``count`` is at most MOST_COUNTED."""

    first: float
    last: float
    count: int


@dataclass(frozen=True, slots=True)
class Decision:
    """``run``: the planned time to run now, or None. ``mark`` becomes the schedule's mark, together with the run.

    ``gap`` is set when runs were missed that no decision has told of before.
    """

    run: float | None
    mark: float
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class Planner:
    """The decisions of one schedule. ``at_most`` is how many seconds back a missed run is still made up for."""

    times: Timetable
    missed: Missed
    at_most: float

    def decide(self, mark: float, now: float, told: float) -> Decision:
        """What is due at ``now``. Ask again with the new mark until a decision has neither ``run`` nor a new mark.

        ``told`` is the moment up to which gaps have been told of. A clock that was set back to before the mark
        decides nothing until it has caught up.
        """
        first = self.times.after(mark)
        if first is None or first > now:
            return Decision(None, mark)
        if now - first <= ON_TIME:
            return Decision(first, first)
        if self.missed == "skip":
            last = self._latest(first, mark, now - ON_TIME)
            return Decision(None, last, self._gap(mark, last, told))
        last = self._latest(first, mark, now)
        if self.missed == "once":
            return Decision(last if now - last < self.at_most else None, last, self._gap(mark, last, told))
        gap = self._gap(mark, self._latest(first, mark, now - ON_TIME), told)
        oldest = self.times.after(max(mark, now - self.at_most))
        return Decision(None, last, gap) if oldest is None or oldest > now else Decision(oldest, oldest, gap)

    def _latest(self, first: float, mark: float, until: float) -> float:
        return self.times.latest(mark, until) or first

    def _gap(self, mark: float, last: float, told: float) -> Gap | None:
        begin = max(mark, told)
        first = self.times.after(begin)
        if first is None or first > last:
            return None
        return Gap(first, last, self.times.count(begin, last, MOST_COUNTED))
