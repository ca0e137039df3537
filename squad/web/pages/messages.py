"""Messages, searched by agent, type, status, text and time of arrival; the newest first, page by page."""

from __future__ import annotations

from typing import Any

from squad.store.models import STATUSES
from squad.store.searching import Search, search
from squad.web.asked import Asked

_PAGE = 50
_FIELDS = ("agent", "type", "status", "sender", "text", "since", "until")
SINCE = {
    "": "any time",
    "15m": "last 15 minutes",
    "1h": "last hour",
    "12h": "last 12 hours",
    "1d": "last day",
    "7d": "last week",
}


class MessagesPage:
    path = "/messages"
    template = "messages.html"
    title = "Messages"
    every = 2.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        which = wanted(asked)
        before = asked.row("before")
        found = await asked.stored(lambda database: search(database, which, limit=_PAGE, before=before))
        given = asked.given(*_FIELDS)
        return {
            "found": found,
            "given": given,
            "searching": any(given.values()),
            "before": before,
            "statuses": STATUSES,
            "sinces": SINCE,
            "agents": asked.agents,
        }


def wanted(asked: Asked) -> Search:
    """What the address asks for. Raises UsageError for what cannot be meant."""
    return Search(
        agent=asked.text("agent"),
        type=asked.text("type"),
        status=asked.text("status"),
        sender=asked.text("sender"),
        text=asked.text("text"),
        since=asked.time("since"),
        until=asked.time("until"),
    )
