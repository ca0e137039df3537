"""CPU and memory: of the machine, and of each process of the squad."""

from __future__ import annotations

from typing import Any

from squad.web.asked import Asked
from squad.web.sorting import Column, order_of
from squad.web.wording import state_rank

COLUMNS: dict[str, Column[dict[str, Any]]] = {
    "name": Column("name", lambda one: one["row"]["name"], number=False),
    "state": Column("state", lambda one: state_rank(one["row"]["state"]), number=False),
    "pid": Column("pid", lambda one: one["row"]["pid"]),
    "cpu": Column("CPU", lambda one: one["row"]["cpu_percent"]),
    "memory": Column("memory", lambda one: one["row"]["memory_bytes"]),
    "restarts": Column("restarts", lambda one: one["row"]["restarts"]),
    "started": Column("started", lambda one: one["row"]["started"]),
}


class ResourcesPage:
    path = "/resources"
    template = "resources.html"
    title = "Resources"
    every = 2.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        processes = [row for row in asked.reading.actors if row["kind"] != "convoy"]
        known = [row["memory_bytes"] for row in processes if row["memory_bytes"] is not None]
        order = order_of(asked.text("sort"), COLUMNS, "-memory")
        rows = []
        for row in processes:
            settings = asked.gate.config.recipient(row["parent"] if row["kind"] == "worker" else row["name"])
            rows.append(
                {
                    "row": row,
                    "most_memory": settings.max_memory_mb * 1_000_000 if settings and settings.max_memory_mb else None,
                    "most_cpu": settings.max_cpu_percent if settings else None,
                }
            )
        return {
            "rows": order.sorted(rows),
            "order": order,
            "memory": sum(known) if known else None,
            "cpu": sum(row["cpu_percent"] or 0.0 for row in processes),
            "span": asked.span,
        }
