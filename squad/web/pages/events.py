"""What happened, newest first: to agents and convoys, by hand, and to messages if one wants."""

from __future__ import annotations

from typing import Any

from squad.events import CATALOGUE, MESSAGES
from squad.store import history
from squad.web import happenings
from squad.web.asked import Asked

_MOST = 100


class EventsPage:
    path = "/events"
    template = "events.html"
    title = "Events"
    every = 2.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        kind = asked.text("kind")
        squads = frozenset(CATALOGUE) - (MESSAGES - {"failed"})
        kinds = squads if kind is None else frozenset((kind,)) if kind in CATALOGUE else frozenset[str]()
        wanted = history.Wanted(kinds, asked.text("agent"))
        found = await asked.stored(lambda database: history.last(database, _MOST, wanted)) if kinds else []
        return {
            "happenings": [happenings.told(one) for one in reversed(found)],
            "kind": kind,
            "kinds": sorted(CATALOGUE),
            "agent": wanted.agent,
            "agents": asked.agents,
            "most": _MOST,
        }
