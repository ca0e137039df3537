"""Events as sentences for the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from squad.durations import format_duration
from squad.events import MESSAGES
from squad.store.history import Happening
from squad.web.wording import first_line, plural, worker_name

_TONES = {
    "failed": "bad",
    "quarantined": "bad",
    "over_ceiling": "bad",
    "disrupted": "bad",
    "restarted": "warn",
    "ended": "warn",
    "near_ceiling": "warn",
    "overloaded": "warn",
    "queue_warning": "warn",
    "alert_fired": "warn",
    "alert_reminded": "warn",
    "alert_cleared": "good",
    "schedule_missed": "warn",
    "frozen": "warn",
    "paused": "warn",
    "retried": "warn",
    "expired": "warn",
    "completed": "good",
    "relieved": "good",
    "ready": "good",
}
_SQUAD = frozenset(("reloaded", "frozen", "thawed", "overloaded", "relieved"))  # about the whole of it


@dataclass(frozen=True, slots=True)
class Told:
    """``key`` tells it from others; ``text`` says what happened beside its kind and subject."""

    key: str
    at: str
    kind: str
    tone: str
    subject: str
    href: str
    text: str


def told(happening: Happening) -> Told:
    kind, subject = happening.kind, happening.subject
    href = "" if kind in _SQUAD else f"/agents/{quote(subject, safe='')}"
    shown = subject
    if kind == "schedule_missed":
        href = "/schedules"
    elif kind.startswith("alert_"):  # of whom it is says its text; else there is an id that nobody knows
        href, shown = "/alerts", str(happening.detail.get("rule") or "").replace("_", " ")
    elif kind in MESSAGES or kind in ("replayed", "edited", "dropped"):
        href, shown = f"/messages/{quote(subject, safe='')}", _message(subject, happening.detail)
    key = f"{happening.at}-{kind}-{subject}"
    return Told(key, happening.at, kind.replace("_", " "), _TONES.get(kind, "calm"), shown, href, _text(happening))


def _message(subject: str, detail: dict[str, Any]) -> str:
    return f"{detail.get('type', '')} {subject[-12:]}".strip()


def _text(happening: Happening) -> str:
    detail = happening.detail
    if happening.kind == "resized":
        return f"{detail.get('from')} → {detail.get('to')}: {detail.get('reason', '')}"
    if happening.kind == "queue_warning":
        return f"{detail.get('queued'):,} wait, of at most {detail.get('limit', 0):,}" if detail.get("queued") else ""
    if happening.kind == "schedule_missed":
        return f"{plural(int(detail.get('missed', 0)), 'planned time')} passed · {detail.get('action', '')}"
    if happening.kind == "alert_cleared":
        return f"of {happening.subject}, after {format_duration(int(detail.get('seconds', 0)))}"
    if happening.kind == "disrupted" and "seconds" in detail:
        return f"{detail.get('reason', '')}, for {format_duration(float(detail['seconds']))}"
    parts = []
    if happening.kind in MESSAGES and "agent" in detail:
        parts.append(f"by {worker_name(detail['worker'])}" if "worker" in detail else f"for {detail['agent']}")
    if detail.get("by"):
        parts.append(f"by {detail['by']}")
    said = (detail.get(name) for name in ("reason", "error", "cause", "summary", "note", "text"))
    parts += [first_line(str(value)) for value in said if value not in (None, "")]
    return " · ".join(parts)
