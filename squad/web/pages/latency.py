"""How long messages wait and how long their handlers take: percentiles, by agent and by type, over any time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from squad.durations import parse_duration
from squad.store.metrics import Summary
from squad.store.metrics.spreads import spreads
from squad.web.asked import Asked
from squad.web.sorting import Column, Order, order_of

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


def _figure(of: str, place: int) -> Callable[[Figures], float | None]:
    def figure(row: Figures) -> float | None:
        found: float | None = getattr(row, of)[place]
        return found

    return figure


def _columns(of: str, prefix: str) -> dict[str, Column[Figures]]:
    """Of the percentiles of one kind."""
    return {
        f"{prefix}{title}": Column(title, _figure(of, place))
        for place, title in enumerate(("p50", "p95", "p99", "most"))
    }


COLUMNS: dict[str, Column[Figures]] = {
    "name": Column("name", lambda row: row.name, number=False),
    "handled": Column("handled", lambda row: row.handled),
    **_columns("handling", ""),
    **_columns("waiting", "waiting-"),
}
SLOWEST = "-p95"
"""The slowest handlers first."""


class LatencyPage:
    path = "/latency"
    template = "latency.html"
    title = "Latency"
    every = 10.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        span = asked.span
        agent = asked.text("agent")
        order = order_of(asked.text("sort"), COLUMNS, SLOWEST)
        until = asked.reading.at
        since = until - parse_duration(span)

        def stored(database: Database) -> tuple[_Spreads, _Spreads]:
            return (
                spreads(database, "handling_ms", since, until, agent),
                spreads(database, "waiting_ms", since, until, agent),
            )

        handling, waiting = await asked.stored(stored)
        by_agent = {} if agent else {"by_agent": figures(_by(handling, 0), _by(waiting, 0), order)}
        return {
            **by_agent,
            "by_type": figures(_by(handling, 1), _by(waiting, 1), order),
            "order": order,
            "span": span,
            "agent": agent,
            "agents": asked.agents,
        }


def figures(handling: dict[str, Summary], waiting: dict[str, Summary], order: Order[Figures]) -> list[Figures]:
    """The first of all in this order."""
    found = [
        Figures(
            name, handling[name].count if name in handling else 0, _four(handling.get(name)), _four(waiting.get(name))
        )
        for name in sorted(handling.keys() | waiting.keys())
    ]
    return order.sorted(found)[:_MOST]


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
