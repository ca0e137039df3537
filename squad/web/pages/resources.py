"""CPU and memory: of the machine, and of each process of the squad."""

from __future__ import annotations

from typing import Any

from squad.web.asked import Asked
from squad.web.charts import SPANS


class ResourcesPage:
    path = "/resources"
    template = "resources.html"
    title = "Resources"
    every = 2.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        processes = [row for row in asked.reading.actors if row["kind"] != "convoy"]
        known = [row["memory_bytes"] for row in processes if row["memory_bytes"] is not None]
        rows = []
        for row in sorted(processes, key=lambda row: -(row["memory_bytes"] or 0)):
            settings = asked.gate.config.recipient(row["parent"] if row["kind"] == "worker" else row["name"])
            rows.append(
                {
                    "row": row,
                    "most_memory": settings.max_memory_mb * 1_000_000 if settings and settings.max_memory_mb else None,
                    "most_cpu": settings.max_cpu_percent if settings else None,
                }
            )
        return {
            "rows": rows,
            "memory": sum(known) if known else None,
            "cpu": sum(row["cpu_percent"] or 0.0 for row in processes),
            "span": asked.choice("span", SPANS, "3h"),
        }
