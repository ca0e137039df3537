"""An actor tree as the gateway gives it."""

from __future__ import annotations

import time
from typing import Any

from squad.actors.supervision.tree import supervisor_row
from squad.store.times import iso

Row = dict[str, Any]
ID = "01a1ff82-c4ed-7001-ade4-1a869848d957"


def ago(seconds: float) -> str:
    return iso(time.time() - seconds)


def row(name: str, kind: str = "agent", **fields: Any) -> Row:
    plain = supervisor_row(time.time() - 7300, 41_200_000, 1.5, "idle")
    about = {"name": name, "kind": kind, "parent": "supervisor", "pid": 4000}
    return plain | about | {"since": ago(192), "uptime_percent": 99.998, "age": 0.4} | fields


def tree(**changes: Any) -> dict[str, Any]:
    """A document for ``GET /v1/tree``; ``changes`` are fields of the agent ``scanner``."""
    current = {"id": ID, "type": "check_file", "since": ago(310)}
    convoy = {"size": 2, "target": 3, "min": 2, "max": 8, "pinned": False, "reason": "40 messages wait"}
    return {
        "squad": "audit",
        "live": True,
        "taken_at": ago(0),
        "actors": [
            row("supervisor", "supervisor", parent=None, state="ready"),
            row("storage", "storage", state="ready"),
            row("monitor", "monitor", state="ready"),
            row("gateway", "gateway", state="ready"),
            row("scanner", queue_depth=0, tokens=20.0, **changes),
            row("reporter", state="quarantined", pid=None, restarts=4, queue_depth=7, last_error="ValueError: no disk"),
            row("checker", "convoy", state="resizing", pid=None, queue_depth=40, in_hand=1, **convoy),
            row("checker-1", "worker", parent="checker", state="busy", in_hand=1, current=current, pid=4193304),
            row("checker-2", "worker", parent="checker", age=7.2),
        ],
    }


def saved(document: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The same as the supervisor keeps it in ``tree.json``."""
    return document | {"schema_version": 1, "live": False, "taken_at": ago(seconds)}
