"""One agent, convoy, worker, or part of the core: how it is, how it was, and what it says."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squad.logfiles import LogFile
from squad.logview import Line, parse
from squad.messages import did_you_mean
from squad.store import history, queries
from squad.store.searching import Search, search
from squad.web import happenings
from squad.web.asked import Asked, MissingError

if TYPE_CHECKING:
    from peewee import Database

_NEWEST = 8  # messages
_LINES = 60  # of its log
_TOLD = 20  # events, and changes of size
_KINDS = (
    "restarted",
    "quarantined",
    "ended",
    "ready",
    "stopped",
    "near_ceiling",
    "over_ceiling",
    "throttled",
    "queue_warning",
    "paused",
    "resumed",
    "disrupted",
)

_SIZED = ("ready", "stopped")  # of a convoy's workers: its changes of size are told by themselves


class AgentPage:
    path = "/agents/{name}"
    template = "agent.html"
    title = "Agent"
    every = 1.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        name = asked.names["name"]
        rows = {row["name"]: row for row in asked.reading.actors}
        row = rows.get(name)
        if row is None:
            raise _missing(name, asked)
        workers = [one for one in asked.reading.actors if one["kind"] == "worker" and one["parent"] == name]
        recipient = row["parent"] if row["kind"] == "worker" else name
        takes = row["kind"] in ("agent", "convoy", "worker")

        def stored(database: Database) -> dict[str, Any]:
            subjects = [name, *(worker["name"] for worker in workers)]
            kinds = [kind for kind in _KINDS if row["kind"] != "convoy" or kind not in _SIZED]
            return {
                "happenings": [happenings.told(one) for one in history.recorded(database, subjects, kinds, _TOLD)],
                "resizes": queries.resizes(database, name, _TOLD) if row["kind"] == "convoy" else [],
                "newest": search(database, Search(agent=recipient), limit=_NEWEST, patience=0.02) if takes else None,
            }

        logs = [worker["name"] for worker in workers] or [name]
        found, lines = await asyncio.gather(
            asked.stored(stored), asyncio.to_thread(_tail, asked.gate.home / "logs", logs)
        )
        standing = asked.reading.standing
        return {
            **found,
            "title": name,
            "row": row,
            "workers": workers,
            "recipient": recipient,
            "takes": takes,
            "settings": asked.gate.config.recipient(recipient) if takes else None,
            "depth": standing.depths.get(recipient),
            "running": standing.running.get(recipient, 0),
            "first": standing.first.get(recipient),
            "held": standing.holds.paused.get(recipient),
            "lines": lines,
            "span": asked.span,
        }


def _missing(name: str, asked: Asked) -> MissingError:
    names = [row["name"] for row in asked.reading.actors]
    return MissingError(f"no agent, convoy or part of the core is called {name!r}", hint=did_you_mean(name, names))


def _tail(folder: Path, names: list[str]) -> list[Line]:
    """The last lines of these processes' logs, the newest first."""
    lines: list[Line] = []
    for name in names:
        file = LogFile(folder / f"{name}.jsonl")
        file.to_end()
        lines += [parse(raw, name, 0.0) for raw in islice(file.back(), _LINES)]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:_LINES]
