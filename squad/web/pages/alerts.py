"""Alerts: those that fire, to be acknowledged or silenced, the silences in force, and those that are over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from squad.alerts import BUILT_IN, next_command
from squad.store import alerts
from squad.web.asked import Asked

if TYPE_CHECKING:
    from peewee import Database

_MOST = 100  # that are over
LENGTHS = {900: "15 minutes", 3600: "an hour", 14400: "4 hours", 86400: "a day", 604800: "a week"}
"""For how long a rule may be silenced here, in seconds."""


class AlertsPage:
    path = "/alerts"
    template = "alerts.html"
    title = "Alerts"
    every = 2.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        def stored(database: Database) -> dict[str, Any]:
            return {
                "fires": alerts.firing(database),
                "past": alerts.past(database, _MOST),
                "silences": alerts.silences(database, asked.reading.at),
                "undelivered": alerts.undelivered(database),
            }

        config = asked.gate.config
        return {
            **(await asked.stored(stored)),
            "todo": next_command,
            "lengths": LENGTHS,
            "rules": [*BUILT_IN, *config.alerts.rules],
            "agents": asked.agents,
        }
