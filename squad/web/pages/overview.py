"""Whether the squad is well, what needs attention, its tree, and what happened last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from squad.events import CATALOGUE, MESSAGES
from squad.store import history
from squad.store.standing import Standing
from squad.web import happenings
from squad.web.asked import Asked
from squad.web.sorting import Column, order_of
from squad.web.wording import state_rank

_NEWEST = 12  # events
_PLAIN = MESSAGES - {"failed"} | {"ready", "stopped", "throttled", "replayed", "edited", "dropped"}
_NOTABLE = frozenset(CATALOGUE) - _PLAIN


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Branch:
    """A row of the tree, with the workers below it if it is a convoy."""

    row: Row
    workers: list[Row]
    queued: int
    running: int
    first: str | None
    paused: bool


COLUMNS: dict[str, Column[Branch]] = {
    "name": Column("name", lambda one: one.row["name"], number=False),
    "state": Column("state", lambda one: state_rank("paused" if one.paused else one.row["state"]), number=False),
    "waiting": Column("waiting", lambda one: one.queued),
    "running": Column("running", lambda one: one.running),
    "cpu": Column("CPU", lambda one: one.row["cpu_percent"]),
    "memory": Column("memory", lambda one: one.row["memory_bytes"]),
    "restarts": Column("restarts", lambda one: one.row["restarts"]),
}


def branches(actors: Iterable[Row], standing: Standing) -> tuple[list[Branch], list[Row]]:
    """Agents and convoys, and the core."""
    actors = list(actors)
    mine, core = [], []
    for row in actors:
        if row["kind"] in ("agent", "convoy"):
            name = row["name"]
            depth = standing.depths.get(name)
            mine.append(
                Branch(
                    row=row,
                    workers=[worker for worker in actors if worker["kind"] == "worker" and worker["parent"] == name],
                    queued=depth.queued if depth else 0,
                    running=standing.running.get(name, 0),
                    first=standing.first.get(name),
                    paused=standing.holds.hold(name),
                )
            )
        elif row["kind"] != "worker":
            core.append(row)
    return mine, core


class OverviewPage:
    path = "/"
    template = "overview.html"
    title = "Overview"
    every = 1.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        mine, core = branches(asked.reading.actors, asked.reading.standing)
        order = order_of(asked.text("sort"), COLUMNS)
        newest = await asked.stored(lambda database: history.last(database, _NEWEST, history.Wanted(_NOTABLE)))
        return {
            "branches": order.sorted(mine),
            "order": order,
            "core": core,
            "happenings": [happenings.told(one) for one in reversed(newest)],
        }
