"""What the gateway says about the whole squad, made from the rows of the actor tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]

_WORKING = ("ready", "idle", "busy", "throttled")
_COMING = ("waiting", "starting", "restarting", "hung", "failing")
_GIVEN_UP = ("quarantined", "damaged")
_ASIDE = ("convoy", "exporter")  # kinds of rows by which nobody's readiness is judged


def health(squad: str, rows: Iterable[Row]) -> dict[str, Any]:
    """``{"squad", "pid", "ready", "frozen", "waiting_for", "failed"}``: whether all that should run does, and who does
    not.

    A worker that drains because its convoy shrinks is no reason to wait. A squad that is frozen can be ready.
    """
    pid = frozen = None
    stopping = False
    waiting, failed = [], []
    for row in rows:
        if row["kind"] == "supervisor":
            pid, stopping, frozen = row["pid"], row["state"] not in _WORKING, row.get("held")
        elif row["kind"] not in _ASIDE and row["state"] in _GIVEN_UP:
            failed.append({"name": row["name"], "error": row["last_error"]})
        elif row["kind"] not in _ASIDE and row["state"] in _COMING:
            waiting.append(row["name"])
    ready = pid is not None and not (stopping or waiting or failed)
    return {"squad": squad, "pid": pid, "ready": ready, "frozen": frozen, "waiting_for": waiting, "failed": failed}


def is_ready(rows: Iterable[Row]) -> bool:
    """Whether all that should run does."""
    return bool(health("", rows)["ready"])


def with_depths(rows: Iterable[Row], depths: Mapping[str, int] | None, tokens: float | None) -> list[dict[str, Any]]:
    """The rows with what only the gateway knows: queued messages of each recipient, and the clients' tokens."""
    found = []
    for row in rows:
        more: dict[str, Any] = {}
        if depths is not None and row["kind"] in ("agent", "convoy"):
            more["queue_depth"] = depths.get(row["name"], 0)
        if row["kind"] == "gateway":
            more["tokens"] = tokens
        found.append({**row, **more})
    return found


def aged(rows: Iterable[Row], seconds: float) -> list[dict[str, Any]]:
    """Rows that were read so long ago."""
    return [{**row, "age": round(row["age"] + seconds, 1)} for row in rows]
