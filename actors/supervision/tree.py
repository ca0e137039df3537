"""The actor tree as rows for people: what ``squad inspect`` draws, fed from the supervisor's own table."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from squad.actors.supervision.children import Child, Convoy
from squad.store.times import iso

Row = dict[str, Any]


def rows(supervisor: Row, children: Iterable[Child], convoys: Iterable[Convoy], hands: Path | None) -> list[Row]:
    """Supervisor first, then its children in order, each convoy followed by its workers.

    ``hands`` is the folder of the black boxes; None: nobody wants to know what the handlers are at.
    """
    children = list(children)
    found = [supervisor]
    found += [_child(child, hands) for child in children if child.spec.kind != "worker"]
    for convoy in convoys:
        workers = [child for child in children if child.spec.recipient == convoy.name and child.spec.kind == "worker"]
        found.append(_convoy(convoy, workers))
        found += [_child(child, hands) for child in workers]
    return found


def supervisor_row(started: float, memory_bytes: int | None, cpu_percent: float | None, state: str) -> Row:
    return {
        "name": "supervisor",
        "kind": "supervisor",
        "parent": None,
        "pid": os.getpid(),
        "state": state,
        "since": iso(started),
        "started": iso(started),
        "uptime_percent": 100.0,
        "restarts": 0,
        "cpu_percent": cpu_percent,
        "memory_bytes": memory_bytes,
        "queue_depth": None,
        "in_hand": 0,
        "tokens": None,
        "current": None,
        "last_error": "",
        "last_cause": None,
        "held": None,
        "age": 0.0,
    }


def _child(child: Child, hands: Path | None) -> Row:
    hand = None if hands is None else child.hand(hands)
    report = child.report if child.running else None
    return {
        "name": child.name,
        "kind": child.spec.kind,
        "parent": child.spec.parent,
        "pid": child.pid,
        "state": child.state,
        "since": iso(child.since),
        "started": None if child.created is None else iso(child.created),
        "uptime_percent": None if (up := child.uptime()) is None else round(up, 3),
        "restarts": child.restarts,
        "cpu_percent": child.cpu_percent if child.running else None,
        "memory_bytes": child.memory_bytes if child.running else None,
        "queue_depth": None,
        "in_hand": report.in_hand if report else 0,
        "tokens": _tokens(child, report.tokens) if report else None,
        "current": None if hand is None else {"id": hand.task_id, "type": hand.type, "since": iso(hand.started)},
        "last_error": child.last_error,
        "last_cause": child.last_cause,
        "held": None,
        "age": round(max(0.0, time.monotonic() - child.heard), 1) if child.heard else 0.0,
    }


def _tokens(child: Child, told: float | None) -> float | None:
    """Tokens left by now: an idle agent does not report that its bucket refills."""
    settings = child.spec.settings
    if told is None or settings is None or settings.send_rate is None:
        return told
    refilled = (time.monotonic() - child.heard) * settings.send_rate.per_minute / 60
    return round(min(settings.send_rate.burst, told + max(0.0, refilled)), 1)


def _convoy(convoy: Convoy, workers: list[Child]) -> Row:
    ready = [worker for worker in workers if worker.ready]
    known_cpu = [worker.cpu_percent for worker in ready if worker.cpu_percent is not None]
    known_memory = [worker.memory_bytes for worker in ready if worker.memory_bytes is not None]
    errors = [worker.last_error for worker in workers if worker.last_error]
    causes = [worker.last_cause for worker in workers if worker.last_cause]
    quarantined = all(worker.state == "quarantined" for worker in workers) and workers
    stopped = convoy.stopped or (bool(workers) and all(worker.state == "stopped" for worker in workers))
    state = "quarantined" if quarantined else "ready" if len(ready) == convoy.size else "resizing"
    return {
        "name": convoy.name,
        "kind": "convoy",
        "parent": "supervisor",
        "pid": None,
        "state": "stopped" if stopped else state,
        "since": iso(min((worker.since for worker in workers), default=time.time())),
        "started": None,
        "uptime_percent": None,
        "restarts": sum(worker.restarts for worker in workers),
        "cpu_percent": round(sum(known_cpu), 1) if known_cpu else None,
        "memory_bytes": sum(known_memory) if known_memory else None,
        "queue_depth": None,
        "in_hand": sum(worker.report.in_hand for worker in workers if worker.running and worker.report),
        "tokens": None,
        "current": None,
        "last_error": errors[-1] if errors else "",
        "last_cause": causes[-1] if causes else None,
        "held": None,
        "age": 0.0,
        "size": len(ready),
        "target": convoy.size,
        "min": convoy.settings.min,
        "max": convoy.settings.max,
        "pinned": convoy.pinned,
        "reason": convoy.reason,
    }


def save(path: Path, squad: str, actors: list[Row]) -> None:
    """Keep the rows for when no squad runs; replaced in one step."""
    document = {"schema_version": 1, "squad": squad, "live": False, "taken_at": iso(time.time()), "actors": actors}
    new = path.with_suffix(".new")
    new.write_text(json.dumps(document))
    new.replace(path)
