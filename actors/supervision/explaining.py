"""What the supervisor knows of why a recipient takes on nothing, as plain values; and what is on hold, in its rows.

``about`` gives a mapping: ``known`` is whether the configuration has the recipient; ``stopping``, whether the squad
stops; ``storage`` its state, since when, and the error that keeps it from work (and ``silent``, once the gateway knows
that it does not get on);
``timeout`` the longest that a handler may run, in seconds; ``attempts`` how often a message is tried; ``shut``, that
it is a convoy which was left out at the start; ``workers`` a mapping for each process that serves it or should. Times
are seconds since the epoch.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from squad.actors.supervision.children import Child
from squad.actors.supervision.lifecycle import Lifecycle
from squad.actors.supervision.tree import Row
from squad.store.holds import Holds, document


def about(life: Lifecycle, recipient: str, hung_after: float) -> dict[str, Any]:
    """See the module. ``hung_after``: seconds of silence after which a process is ended."""
    settings = life.config.recipients.get(recipient)
    convoy = life.convoys.get(recipient)
    storage = life.storage
    return {
        "known": settings is not None,
        "stopping": life.stopping,
        "storage": {
            "state": storage.state,
            "since": storage.since,
            "again_at": storage.again_at if storage.state == "restarting" else None,
            "error": storage.last_error if storage.state in ("failing", "damaged") else "",
        },
        "timeout": None if settings is None else settings.timeout,
        "attempts": None if settings is None else settings.retry.max_attempts,
        "shut": convoy is not None and convoy.stopped,
        "workers": [_worker(child, life, hung_after) for child in life.named(recipient) if not child.spec.core],
    }


def _worker(child: Child, life: Lifecycle, hung_after: float) -> dict[str, Any]:
    hand = child.hand(life.hands)
    obstacles = life.obstacles(child) if child.state == "waiting" else []
    silent = None if child.pinged is None else time.monotonic() - child.pinged
    return {
        "name": child.name,
        "worker": child.worker if child.running else "",
        "state": child.state,
        "since": child.since,
        "last_error": child.last_error,
        "last_cause": child.last_cause,
        "again_at": child.again_at if child.state == "restarting" else None,
        "waits_for": obstacles,
        "idle": [name for name in obstacles if _is_idle(name, life)],
        "ready_by": _ready_by(child),
        "ends_by": child.since + life.grace(child) if child.state == "draining" else None,
        "and_then": child.after_exit,
        "cut_at": time.time() + hung_after - silent if silent is not None and child.state == "hung" else None,
        "hand": None if hand is None else (hand.task_id, hand.type, hand.started),
    }


def _is_idle(name: str, life: Lifecycle) -> bool:
    """Whether it is not started by itself any more."""
    convoy = life.convoys.get(name)
    left_out = convoy is not None and convoy.stopped
    return left_out or any(child.state in ("stopped", "quarantined") for child in life.named(name))


def _ready_by(child: Child) -> float | None:
    """When it is ended at the latest if its start does not come to an end."""
    settings = child.spec.settings
    if child.state != "starting" or settings is None:
        return None
    wait = settings.ready_when.within if settings.ready_when is not None else 0.0
    return child.since + settings.start_timeout + wait


def marked(rows: Iterable[Row], holds: Holds) -> list[Row]:
    """The rows of the tree with what is on hold: ``held`` is ``{"kind", "since", "by", "reason"}``.

    On the supervisor's row it is that the squad is frozen; on those of an agent, a convoy and its workers, its pause.
    """
    rows = list(rows)
    if not holds:
        return rows
    for row in rows:
        name = row["parent"] if row["kind"] == "worker" else row["name"]
        if row["kind"] == "supervisor" and holds.frozen is not None:
            row["held"] = {"kind": "frozen", **document(holds.frozen)}
        elif row["kind"] in ("agent", "convoy", "worker") and name in holds.paused:
            row["held"] = {"kind": "paused", **document(holds.paused[name])}
    return rows
