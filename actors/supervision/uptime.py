"""How much of the time agents were there, told apart from what was stopped on purpose."""

from __future__ import annotations

import time
from collections.abc import Iterable

from squad.actors.supervision.children import Child
from squad.store.metrics.journal import Measured
from squad.store.metrics.summary import Summary

_STOPPED = ("stopped", "draining")
_SHORT = 0.001  # seconds, over which nothing is known


class Uptime:
    """Each look is at the time since the one before."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, float]] = {}  # by child: its seconds until then that count, and up

    def look(self, children: Iterable[Child]) -> list[Measured]:
        """Of each agent and convoy, in percent: of a convoy's workers each is one value.

        A child counts from when it was first ready, and not while it is stopped or restarted on purpose.
        """
        now = time.monotonic()
        before, self._before = self._before, {}
        found: dict[str, Summary] = {}
        for child in children:
            if child.spec.core or child.first is None:
                continue
            counts, up = now - child.first - child.away_until(now), child.up_until(now)
            self._before[child.name] = counts, up
            counted, already = before.get(child.name, (0.0, 0.0))
            if counts - counted < _SHORT or child.state in _STOPPED:
                continue
            percent = min(100.0, max(0.0, 100 * (up - already) / (counts - counted)))
            found.setdefault(child.spec.recipient, Summary()).add(Summary.gauged(round(percent, 3)))
        return [Measured("uptime_percent", agent, "", "gauge", summary) for agent, summary in found.items()]
