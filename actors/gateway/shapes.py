"""The shapes of what the gateway takes and answers, as JSON Schema: see docs/json.md for what each field means."""

from __future__ import annotations

from typing import Any, get_args

from squad.alerts import SEVERITIES
from squad.metrics import Kind
from squad.store.reports import STATUSES

Schema = dict[str, Any]


class Named(dict[str, Any]):
    """A schema that is described once, under its name."""

    def __init__(self, name: str, schema: Schema) -> None:
        super().__init__(schema)
        self.name = name


def record(fields: Schema, *, optional: Schema | None = None) -> Schema:
    """An object with these fields."""
    made = {"type": "object", "properties": {**fields, **(optional or {})}}
    return {**made, "required": list(fields)} if fields else made


def order(fields: Schema | None = None, *, optional: Schema | None = None) -> Schema:
    """The body of a request: an object with these fields and no other."""
    return {**record(fields or {}, optional=optional), "additionalProperties": False}


def many(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def by_name(item: Schema) -> Schema:
    """An object whose keys are data."""
    return {"type": "object", "additionalProperties": item}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
WHOLE: Schema = {"type": "integer"}
WHOLE_OR_NULL: Schema = {"type": ["integer", "null"]}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
BOOL: Schema = {"type": "boolean"}
ANY: Schema = {}
OBJECT: Schema = {"type": "object"}
ID: Schema = {"type": "string", "format": "uuid"}
IDS = many(ID)
STATUS: Schema = {"type": "string", "enum": list(STATUSES)}

PROBLEM = record({"where": TEXT, "what": TEXT, "hint": TEXT})
ERROR = Named(
    "Error",
    record(
        {
            "error": record(
                {"message": TEXT, "hint": TEXT, "exit": WHOLE, "problems": many(PROBLEM)},
                optional={"kind": TEXT, "retry_after": NUMBER},
            )
        }
    ),
)
HELD = record({"since": TEXT, "by": TEXT_OR_NULL, "reason": TEXT_OR_NULL})
PAUSED = record({"name": TEXT, "since": TEXT, "by": TEXT_OR_NULL, "reason": TEXT_OR_NULL})
HOLDS: Schema = {"frozen": maybe(HELD), "paused": many(PAUSED)}

MESSAGE = Named(
    "Message",
    record(
        {
            "id": TEXT,
            "parent_id": TEXT_OR_NULL,
            "root_id": TEXT,
            "sender": TEXT,
            "recipient": TEXT,
            "type": TEXT,
            "priority": WHOLE,
            "status": STATUS,
            "attempts": WHOLE,
            "not_before": TEXT_OR_NULL,
            "expires_at": TEXT_OR_NULL,
            "worker": TEXT_OR_NULL,
            "created_at": TEXT,
            "claimed_at": TEXT_OR_NULL,
            "started_at": TEXT_OR_NULL,
            "completed_at": TEXT_OR_NULL,
            "duration_ms": NUMBER_OR_NULL,
            "key": TEXT_OR_NULL,
            "reply_to": TEXT_OR_NULL,
            "error": TEXT_OR_NULL,
        }
    ),
)
ATTEMPT = record(
    {
        "number": WHOLE,
        "outcome": TEXT,
        "worker": TEXT_OR_NULL,
        "started_at": TEXT_OR_NULL,
        "ended_at": TEXT,
        "error": TEXT_OR_NULL,
    }
)
FAMILY = record(
    {
        "total": WHOLE,
        "by_status": by_name(WHOLE),
        "counts": many(record({"agent": TEXT, "type": TEXT, "status": STATUS, "count": WHOLE})),
        "failed": many(record({"id": TEXT, "agent": TEXT, "type": TEXT, "error": TEXT_OR_NULL})),
    }
)
LIFE = Named(
    "Life",
    record(
        {
            **MESSAGE["properties"],
            "payload": ANY,
            "result": ANY,
            "archived": BOOL,
            "failed_attempts": many(ATTEMPT),
            "events": many(record({"at": TEXT, "kind": TEXT, "detail": OBJECT})),
            "causes": many(MESSAGE),
            "effects": many(MESSAGE),
            "effects_total": WHOLE,
            "tree": FAMILY,
        }
    ),
)
NEW_MESSAGE = Named(
    "NewMessage",
    order(
        {"recipient": TEXT, "type": TEXT, "payload": OBJECT},
        optional={
            "id": ID,
            "priority": {"type": "integer", "minimum": 1, "maximum": 10},
            "sender": TEXT,
            "delay": NUMBER,
            "at": {"type": ["string", "number"]},
            "ttl": NUMBER,
            "key": TEXT,
            "traceparent": TEXT,
        },
    ),
)
EVENT = Named("Event", record({"at": TEXT, "kind": TEXT, "subject": TEXT, "detail": OBJECT}))
QUEUE = record(
    {
        "agent": TEXT,
        "queued": WHOLE,
        "high": WHOLE,
        "normal": WHOLE,
        "low": WHOLE,
        "delayed": WHOLE,
        "running": WHOLE,
        "held": TEXT_OR_NULL,
    }
)
ACTOR = Named(
    "Actor",
    record(
        {
            "name": TEXT,
            "kind": TEXT,
            "parent": TEXT_OR_NULL,
            "pid": WHOLE_OR_NULL,
            "state": TEXT,
            "since": TEXT,
            "started": TEXT_OR_NULL,
            "uptime_percent": NUMBER_OR_NULL,
            "restarts": WHOLE,
            "cpu_percent": NUMBER_OR_NULL,
            "memory_bytes": WHOLE_OR_NULL,
            "queue_depth": WHOLE_OR_NULL,
            "in_hand": WHOLE,
            "tokens": NUMBER_OR_NULL,
            "current": maybe(record({"id": TEXT, "type": TEXT, "since": TEXT})),
            "last_error": TEXT,
            "last_cause": TEXT_OR_NULL,
            "held": maybe(OBJECT),
            "age": NUMBER,
        },
        optional={
            "size": WHOLE,
            "target": WHOLE,
            "min": WHOLE,
            "max": WHOLE,
            "pinned": BOOL,
            "reason": TEXT,
        },
    ),
)
HEALTH = Named(
    "Health",
    record(
        {
            "squad": TEXT,
            "pid": WHOLE_OR_NULL,
            "ready": BOOL,
            "frozen": maybe(OBJECT),
            "waiting_for": many(TEXT),
            "failed": many(record({"name": TEXT, "error": TEXT_OR_NULL})),
        }
    ),
)
_TAKEN: Schema = {"squad": TEXT, "live": BOOL, "taken_at": TEXT}
TREE = record({**_TAKEN, "actors": many(ACTOR)})
_CONVOY = record(
    {
        "name": TEXT,
        "state": TEXT,
        "size": WHOLE,
        "target": WHOLE,
        "min": WHOLE,
        "max": WHOLE,
        "pinned": BOOL,
        "queue_depth": WHOLE_OR_NULL,
        "in_hand": WHOLE,
        "reason": TEXT,
        "workers": many(TEXT),
    }
)
CONVOYS = record({**_TAKEN, "convoys": many(_CONVOY)})
_RESIZE = record({"at": TEXT, "from": WHOLE, "to": WHOLE, "reason": TEXT, "readings": ANY})
CONVOY = record({**_TAKEN, "convoy": ACTOR, "workers": many(ACTOR), "resizes": many(_RESIZE)})
SCHEDULE = record(
    {
        "name": TEXT,
        "cron": TEXT,
        "timezone": TEXT,
        "recipient": TEXT,
        "type": TEXT,
        "priority": WHOLE,
        "missed": TEXT,
        "next": TEXT_OR_NULL,
        "last": maybe(record({"planned": TEXT, "id": TEXT_OR_NULL})),
    }
)
WHY = record(
    {
        **{name: MESSAGE["properties"][name] for name in ("id", "recipient", "type", "sender", "priority", "status")},
        "created_at": TEXT,
        "expires_at": TEXT_OR_NULL,
        "completed_at": TEXT_OR_NULL,
        "error": TEXT_OR_NULL,
        "position": maybe(record({"ahead": WHOLE, "per_minute": NUMBER_OR_NULL, "over_seconds": NUMBER})),
        "lease": maybe(OBJECT),
        "reasons": many(OBJECT),
        "result": ANY,
    }
)
WHICH_DEAD = order(
    optional={
        "ids": IDS,
        "filter": order(optional={"agent": TEXT, "type": TEXT, "since": {"type": ["string", "number"]}, "error": TEXT}),
        "dry_run": BOOL,
    }
)
DONE_DEAD = record({"count": WHOLE, "ids": many(TEXT)})
_SERIES = {
    "name": TEXT,
    "kind": {"type": "string", "enum": list(get_args(Kind))},
    "unit": TEXT_OR_NULL,
    "agent": TEXT_OR_NULL,
    "type": TEXT_OR_NULL,
    "seconds": NUMBER,
    "count": WHOLE,
    "sum": NUMBER,
    **dict.fromkeys(("per_second", "mean", "least", "most", "last", "p50", "p95", "p99"), NUMBER_OR_NULL),
    "points": many(record({"at": TEXT, "value": NUMBER_OR_NULL})),
}
METRICS = record({"since": TEXT, "until": TEXT, "metrics": many(record(_SERIES))})

_SPREAD = Named(
    "Spread",
    record({"count": WHOLE, **dict.fromkeys(("mean", "least", "p50", "p95", "p99", "most"), NUMBER_OR_NULL)}),
)
_TIMES = {"handling_ms": maybe(_SPREAD), "waiting_ms": maybe(_SPREAD), "share": NUMBER}
_SLOW = {
    "id": TEXT,
    "agent": TEXT,
    "type": TEXT,
    "duration_ms": NUMBER,
    "waited_ms": NUMBER_OR_NULL,
    "created_at": TEXT,
    "started_at": TEXT_OR_NULL,
    "completed_at": TEXT,
}
_RUNNING = {
    **dict.fromkeys(("id", "agent", "worker", "type", "created_at", "claimed_at"), TEXT),
    "running_ms": NUMBER,
}
BOTTLENECKS = record(
    {"since": TEXT, "until": TEXT},
    optional={
        "tasks": many(record(_SLOW)),
        "running": many(record(_RUNNING)),
        "agents": many(record({"agent": TEXT, **_TIMES})),
        "types": many(record({"type": TEXT, **_TIMES})),
    },
)

_ALERT = {
    "id": TEXT,
    "state": {"type": "string", "enum": ["firing", "acked", "cleared"]},
    "rule": TEXT,
    "agent": TEXT_OR_NULL,
    "severity": {"type": "string", "enum": list(SEVERITIES)},
    "summary": TEXT,
    "value": NUMBER_OR_NULL,
    "threshold": NUMBER_OR_NULL,
    "unit": TEXT,
    "fired_at": TEXT,
    **dict.fromkeys(("told_at", "reminded_at", "acked_at", "acked_by", "note", "cleared_at"), TEXT_OR_NULL),
    "reminders": WHOLE,
    "todo": TEXT,
}
_SILENCE = {
    **dict.fromkeys(("silence_id", "since", "until"), TEXT),
    **dict.fromkeys(("rule", "agent", "by", "reason"), TEXT_OR_NULL),
}
_UNDELIVERED = {"agent": TEXT, "messages": WHOLE, "error": TEXT, "at": TEXT}
ALERTS = record(
    {
        "alerts": many(record(_ALERT)),
        "silences": many(record(_SILENCE)),
        "undelivered": many(record(_UNDELIVERED)),
    }
)
