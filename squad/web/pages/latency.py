"""How long messages wait and how long their handlers take: percentiles, by agent and by type, over any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from squad.durations import parse_duration
from squad.store.metrics import Summary
from squad.store.metrics.spreads import spreads
from squad.web.asked import Asked
from squad.web.charts import SPANS

if TYPE_CHECKING:
    from peewee import Database

_MOST = 50  # rows of a table
_Spreads = dict[tuple[str, str], Summary]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one agent or type; times in milliseconds, None where nothing was measured."""

    name: str
    handled: int
    handling: tuple[float | None, float | None, float | None, float | None]
    waiting: tuple[float | None, float | None, float | None, float | None]


class LatencyPage:
    path = "/latency"
    template = "latency.html"
    title = "Latency"
    every = 10.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        span = asked.choice("span", SPANS, "3h")
        agent = asked.text("agent")
        until = asked.reading.at
        since = until - parse_duration(span)

        def stored(database: Database) -> tuple[_Spreads, _Spreads]:
            return (
                spreads(database, "handling_ms", since, until, agent),
                spreads(database, "waiting_ms", since, until, agent),
            )

        handling, waiting = await asked.stored(stored)
        by_agent = {} if agent else {"by_agent": figures(_by(handling, 0), _by(waiting, 0))}
        return {
            **by_agent,
            "by_type": figures(_by(handling, 1), _by(waiting, 1)),
            "span": span,
            "agent": agent,
            "agents": sorted(asked.gate.config.recipients),
        }


def figures(handling: dict[str, Summary], waiting: dict[str, Summary]) -> list[Figures]:
    """Those with the slowest handlers first, by their 95th percentile."""
    found = [
        Figures(
            name, handling[name].count if name in handling else 0, _four(handling.get(name)), _four(waiting.get(name))
        )
        for name in handling.keys() | waiting.keys()
    ]
    return sorted(found, key=lambda one: (-(one.handling[1] or 0.0), one.name))[:_MOST]


def _by(found: _Spreads, place: int) -> dict[str, Summary]:
    """By agent (0) or type (1)."""
    made: dict[str, Summary] = {}
    for key, summary in found.items():
        made.setdefault(key[place], Summary()).add(summary)
    return made


def _four(summary: Summary | None) -> tuple[float | None, float | None, float | None, float | None]:
    """Half, 95 and 99 of 100, and the most."""
    if summary is None:
        return None, None, None, None
    return summary.percentile(0.5), summary.percentile(0.95), summary.percentile(0.99), summary.most
