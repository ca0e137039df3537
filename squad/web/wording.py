"""Numbers and states in the words of the pages."""

from __future__ import annotations

UNKNOWN = "\u2013"
_TONES = {
    "ready": "good",
    "idle": "good",
    "busy": "good",
    "throttled": "warn",
    "starting": "warn",
    "waiting": "warn",
    "behind": "warn",
    "restarting": "warn",
    "resizing": "warn",
    "draining": "warn",
    "paused": "warn",
    "stopped": "calm",
    "hung": "bad",
    "failing": "bad",
    "quarantined": "bad",
    "damaged": "bad",
}
_STATUS_TONES = {
    "queued": "calm",
    "running": "busy",
    "completed": "good",
    "failed": "bad",
    "cancelled": "calm",
    "expired": "warn",
}


def state_tone(state: str) -> str:
    """Of an actor: ``good``, ``warn``, ``bad`` or ``calm``."""
    return _TONES.get(state, "calm")


def state_rank(state: str) -> tuple[int, str]:
    """By which states are sorted: the worst first."""
    return ("bad", "warn", "calm", "good").index(state_tone(state)), state


def status_tone(status: str) -> str:
    """Of a message, likewise; ``busy`` while it runs."""
    return _STATUS_TONES.get(status, "calm")


def count(number: float | None) -> str:
    """``12,345``; a dash for what is not known."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def rate(per_minute: float | None) -> str:
    """``840`` or ``1.2 k``, of a minute."""
    if per_minute is None:
        return UNKNOWN
    if per_minute < 10_000:
        return f"{per_minute:,.0f}"
    return f"{per_minute / 1000:,.1f} k"


def took(milliseconds: float | None) -> str:
    """``3.2 ms``, ``450 ms``, ``1.3 s``, ``4 min``, ``2.5 h``."""
    if milliseconds is None:
        return UNKNOWN
    if milliseconds < 1000:
        return "< 1 ms" if milliseconds < 1 else f"{milliseconds:.{int(milliseconds < 10)}f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def percent(number: float | None) -> str:
    return UNKNOWN if number is None else f"{number:.0f} %" if number >= 10 else f"{number:.1f} %"


def first_line(text: str | None, most: int = 160) -> str:
    """The beginning of an error: the exception without its traceback."""
    line = (text or "").strip().partition("\n")[0]
    return line if len(line) <= most else line[: most - 1] + "…"


def worker_name(worker: str | None) -> str:
    """``checker-2`` of ``checker-2.987da8c666e6``, which also says which of its processes that was."""
    return (worker or "").partition(".")[0]


def plural(number: int, thing: str, things: str = "") -> str:
    """``1 agent``, ``3 agents``."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
