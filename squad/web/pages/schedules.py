"""What is sent by the clock: when, to whom, and what came of it last."""

from __future__ import annotations

from typing import Any

from squad.cron import in_words
from squad.store import queries
from squad.web.asked import Asked
from squad.web.sorting import Column, order_of

_MISSED = {"skip": "is left out", "once": "the latest is made up for", "all": "each is made up for"}
COLUMNS: dict[str, Column[dict[str, Any]]] = {
    "name": Column("name", lambda row: row["name"], number=False),
    "zone": Column("zone", lambda row: row["timezone"], number=False),
    "to": Column("for", lambda row: (row["recipient"], row["type"]), number=False),
    "next": Column("next run", lambda row: row["next"], number=False),
    "last": Column("last run", lambda row: row["last"] and row["last"]["planned"]),
}


class SchedulesPage:
    path = "/schedules"
    template = "schedules.html"
    title = "Schedules"
    every = 2.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        order = order_of(asked.text("sort"), COLUMNS, "next")
        rows = sorted(await asked.gate.schedules(), key=lambda row: str(row["name"]))
        last = [row["last"]["id"] for row in rows if row["last"]]
        return {
            "rows": order.sorted(rows),
            "order": order,
            "statuses": await asked.stored(lambda database: queries.statuses(database, last)) if last else {},
            "in_words": in_words,
            "missed": _MISSED,
        }
