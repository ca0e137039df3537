"""Incidents and silences, read. ``incidents`` writes them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from peewee import Database

from squad.alerts import next_command
from squad.errors import UsageError
from squad.notices import ALERT
from squad.store.database import fetch
from squad.store.times import iso


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of ``alerts``; times are text, None for what has not happened. ``told_at`` None: it was silenced so far."""

    alert_id: str
    rule: str
    agent: str  # "": it is about the squad or the machine
    severity: str
    summary: str
    value: float | None
    threshold: float | None
    unit: str
    fired_at: str
    told_at: str | None
    reminded_at: str | None
    reminders: int
    acked_at: str | None
    acked_by: str | None
    note: str | None
    cleared_at: str | None

    @property
    def firing(self) -> bool:
        return self.cleared_at is None

    @property
    def state(self) -> Literal["firing", "acked", "cleared"]:
        return "cleared" if self.cleared_at else "acked" if self.acked_at else "firing"

    def document(self) -> dict[str, Any]:
        about = asdict(self) | {"agent": self.agent or None}
        return {"id": about.pop("alert_id"), "state": self.state, **about, "todo": next_command(self.rule, self.agent)}


@dataclass(frozen=True, slots=True)
class Silence:
    """A row of ``alert_silences``; None: any rule, any agent."""

    silence_id: str
    rule: str | None
    agent: str | None
    since: str
    until: str
    by: str | None
    reason: str | None

    def covers(self, rule: str, agent: str) -> bool:
        return self.rule in (None, rule) and self.agent in (None, agent)


class Undelivered(NamedTuple):
    """What could not be told to one agent: so many dead letters, the last one's error, and when that was."""

    agent: str
    messages: int
    error: str
    at: str


@dataclass(frozen=True, slots=True)
class Report:
    """What ``squad alerts list`` prints, and ``/v1/alerts`` answers (see docs/json.md)."""

    alerts: list[Incident]
    silences: list[Silence]
    undelivered: list[Undelivered]

    def document(self) -> dict[str, Any]:
        return {
            "alerts": [one.document() for one in self.alerts],
            "silences": [asdict(one) for one in self.silences],
            "undelivered": [one._asdict() for one in self.undelivered],
        }


_COLUMNS = ", ".join(Incident.__slots__)
_FIRING = f"SELECT {_COLUMNS} FROM alerts WHERE cleared_at IS NULL ORDER BY id"  # noqa: S608 - a constant
_PAST = f"""
    SELECT {_COLUMNS} FROM alerts WHERE cleared_at IS NOT NULL AND (?1 IS NULL OR cleared_at >= ?1)
    ORDER BY cleared_at DESC LIMIT ?2
"""  # noqa: S608
_FOUND = f"SELECT {_COLUMNS} FROM alerts WHERE alert_id LIKE ?1 ORDER BY id DESC LIMIT 3"  # noqa: S608
_SILENCED = """
    SELECT silence_id, rule, agent, since, until, by, reason FROM alert_silences
    WHERE until > ? AND ended_at IS NULL ORDER BY id
"""
# The last one's row: SQLite takes the other columns from the row that has the maximum.
_UNDELIVERED = """
    SELECT recipient, COUNT(*), error_message, MAX(completed_at) FROM tasks
    WHERE status = 'failed' AND type = ? GROUP BY recipient ORDER BY recipient
"""


def report(database: Database, now: float, *, over: int = 0) -> Report:
    """What goes on, then at most ``over`` alerts that have cleared; what is silenced, and what could not be told."""
    with database.atomic():
        alerts = [*firing(database), *(past(database, over) if over else ())]
        return Report(alerts, silences(database, now), undelivered(database))


def firing(database: Database) -> list[Incident]:
    """Those that go on, the oldest first."""
    return [Incident(*row) for row in fetch(database, _FIRING)]


def past(database: Database, limit: int = 100, since: str | None = None) -> list[Incident]:
    """Those that have cleared (since then), the latest first."""
    return [Incident(*row) for row in fetch(database, _PAST, since, limit)]


def incident(database: Database, text: str) -> Incident:
    """The one whose id is, begins with, or ends with ``text``. Raises UsageError when there is none, or several."""
    found = [Incident(*row) for row in fetch(database, _FOUND, _pattern(text))]
    found = found or [Incident(*row) for row in fetch(database, _FOUND, "%" + _pattern(text)[:-1])]
    return found[_only(text, "alert", [one.alert_id for one in found])]


def silences(database: Database, now: float) -> list[Silence]:
    """Those in force, the oldest first."""
    return [Silence(*row) for row in fetch(database, _SILENCED, iso(now))]


def silence(database: Database, text: str, now: float) -> Silence:
    """Likewise the one in force that ``text`` names."""
    found = [one for one in silences(database, now) if one.silence_id.startswith(text) or one.silence_id.endswith(text)]
    return found[_only(text, "silence in force", [one.silence_id for one in found])]


def undelivered(database: Database) -> list[Undelivered]:
    """By recipient, what of alerts has become dead letters."""
    return [
        Undelivered(name, count, error or "", at) for name, count, error, at in fetch(database, _UNDELIVERED, ALERT)
    ]


def _pattern(text: str) -> str:
    if len(text) < 4 or not set(text) <= set("0123456789abcdef-"):
        raise UsageError(f"{text!r} is no alert's id: four of its first or last characters, or more", hint=_LIST)
    return f"{text}%"


_LIST = "squad alerts list --all"


def _only(text: str, kind: str, ids: list[str]) -> int:
    if not ids:
        raise UsageError(f"there is no {kind} {text}", hint=_LIST)
    if len(ids) > 1:
        raise UsageError(f"{text} may be {' or '.join(ids)}", hint="write more of it")
    return 0
