"""What waits for whom, for how long, and how that went over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from squad.web.asked import Asked
from squad.web.sorting import Column, order_of

Row = dict[str, Any]


def _waiting(which: str) -> Callable[[Row], int]:
    return lambda row: getattr(row["depth"], which, 0)  # without a depth nothing waits


def _used(row: Row) -> float | None:
    """The part of its bound, of 1."""
    return _waiting("queued")(row) / row["limit"] if row["limit"] else None


COLUMNS: dict[str, Column[Row]] = {
    "name": Column("agent", lambda row: row["name"], number=False),
    "waiting": Column("waiting", _waiting("queued")),
    "urgent": Column("urgent", _waiting("high")),
    "normal": Column("normal", _waiting("normal")),
    "low": Column("low", _waiting("low")),
    "running": Column("running", lambda row: row["running"]),
    "first": Column("next one arrived", lambda row: row["first"], number=False),
    "used": Column("of its bound", _used),
}


class QueuesPage:
    path = "/queues"
    template = "queues.html"
    title = "Queues"
    every = 1.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        standing = asked.reading.standing
        recipients = asked.gate.config.recipients
        order = order_of(asked.text("sort"), COLUMNS, "-waiting")
        rows = []
        for name in sorted({*recipients, *standing.depths}):
            settings = recipients.get(name)
            rows.append(
                {
                    "name": name,
                    "depth": standing.depths.get(name),
                    "running": standing.running.get(name, 0),
                    "first": standing.first.get(name),
                    "held": standing.holds.hold(name),
                    "limit": settings.queue.limit if settings is not None else None,
                    "known": settings is not None,
                }
            )
        return {"rows": order.sorted(rows), "order": order, "span": asked.span}
