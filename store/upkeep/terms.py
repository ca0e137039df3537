"""How long what is kept, as the configuration says it, and as the database remembers it for when no squad runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from squad.cron import Timetable
from squad.store.retention import Limits
from squad.store.times import iso

if TYPE_CHECKING:
    from squad.config.maintenance import MaintenanceConfig

NEVER = "none"
EXPORT = "export"  # in the keeper table: how far an exporter has come

_DAY = 86_400.0


class Terms(NamedTuple):
    """``messages``, ``archive`` and ``events`` are seconds, as in MaintenanceConfig. ``exporter``: there is one, which
    must have sent a message before it leaves."""

    messages: float = 30 * _DAY
    archive: float = 90 * _DAY
    events: float = 30 * _DAY
    schedule: str = "17 3 * * *"
    timezone: str = "UTC"
    exporter: bool = False

    def timetable(self) -> Timetable | None:
        return None if self.schedule == NEVER else Timetable(self.schedule, self.timezone)

    def limits(self, now: float, kept: Callable[[str], str | None]) -> Limits:
        """At ``now``, seconds since the epoch; ``kept`` reads the keeper table."""
        return Limits(
            messages=_before(now, self.messages),
            archived=_before(now, self.messages + self.archive),
            events=_before(now, self.events),
            sent=_sent_until(kept(EXPORT)) if self.exporter else None,
        )


def terms_of(config: MaintenanceConfig, *, exporter: bool = False) -> Terms:
    return Terms(config.messages, config.archive, config.events, config.schedule, config.timezone, exporter)


def reading_keeper(connection: sqlite3.Connection) -> Callable[[str], str | None]:
    """For ``Terms.limits``, from a connection that only reads."""

    def kept(key: str) -> str | None:
        row = connection.execute("SELECT value FROM keeper WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    return kept


def _before(now: float, age: float) -> str:
    return iso(max(0.0, now - age))


def _sent_until(mark: str | None) -> str:
    """Text that sorts before every time when nothing has been sent, or nobody can tell."""
    try:
        until = json.loads(mark or "{}")["until"]
    except (ValueError, KeyError, TypeError):
        return ""
    return until if isinstance(until, str) else ""
