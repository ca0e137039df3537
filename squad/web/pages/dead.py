"""Dead letters: what failed for good, grouped by what went wrong, to be replayed, mended or dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from squad.store.queries import MessageRow
from squad.store.searching import Search, search
from squad.store.times import iso
from squad.web.asked import Asked
from squad.web.pages.messages import SINCE
from squad.web.wording import first_line

_PAGE = 100
_MOST_GROUPS = 8
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9][0-9a-f.,:-]*")


class DeadPage:
    path = "/dead"
    template = "dead.html"
    title = "Dead letters"
    every = 2.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        died_since = asked.time("died")
        error = asked.text("error")
        which = Search(
            agent=asked.text("agent"), type=asked.text("type"), status="failed", error=error, ended_since=died_since
        )
        before = asked.row("before")
        found = await asked.stored(lambda database: search(database, which, limit=_PAGE, before=before))
        given = asked.given("agent", "type", "error", "died")
        chosen = {"agent": which.agent, "type": which.type, "error": error}
        since = {} if died_since is None else {"since": iso(died_since)}
        return {
            "found": found,
            "given": given,
            "before": before,
            "searching": any(given.values()),
            "filter": {name: value for name, value in chosen.items() if value is not None} | since,
            "groups": groups(found.rows),
            "sinces": SINCE,
            "agents": asked.agents,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Dead letters of one agent with alike errors; ``error`` is one of them, ``part`` the longest part they share."""

    agent: str
    error: str
    part: str
    number: int


def groups(rows: Iterable[MessageRow]) -> list[Group]:
    """Of those that are shown, the most frequent first. Errors are alike when they differ in numbers and in what stands
    in quotes."""
    found: dict[tuple[str, str], Group] = {}
    for row in rows:
        error = first_line(row.error_message)
        key = row.recipient, _VARYING.sub("…", error)
        number = found[key].number + 1 if key in found else 1
        part = max(_VARYING.split(error), key=len).strip() or error
        found[key] = Group(row.recipient, error, part.rstrip("…"), number)
    return sorted(found.values(), key=lambda group: -group.number)[:_MOST_GROUPS]
