"""What waits for whom, for how long, and how that went over time."""

from __future__ import annotations

from typing import Any

from squad.store.queries import Depth
from squad.web.asked import Asked
from squad.web.charts import SPANS


class QueuesPage:
    path = "/queues"
    template = "queues.html"
    title = "Queues"
    every = 1.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        standing = asked.reading.standing
        recipients = asked.gate.config.recipients
        names = sorted({*recipients, *standing.depths}, key=lambda name: (-_queued(standing.depths.get(name)), name))
        rows = []
        for name in names:
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
        return {"rows": rows, "span": asked.choice("span", SPANS, "3h")}


def _queued(depth: Depth | None) -> int:
    return depth.queued if depth is not None else 0
