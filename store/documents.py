"""Rows of the store as JSON documents: the same from the command line and over HTTP (see docs/json.md).

It imports neither the database nor its models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from squad.store.times import iso

if TYPE_CHECKING:
    from squad.store.history import Happening
    from squad.store.queries import AttemptRow, MessageRow, ResizeRow, TreeSummary


def message_document(row: MessageRow) -> dict[str, Any]:
    """A message without its payload and result."""
    return {
        "id": row.task_id,
        "parent_id": row.parent_id,
        "root_id": row.root_id,
        "sender": row.sender,
        "recipient": row.recipient,
        "type": row.type,
        "priority": row.priority,
        "status": row.status,
        "attempts": row.attempts,
        "not_before": None if row.not_before is None else iso(row.not_before),
        "expires_at": None if row.expires_at is None else iso(row.expires_at),
        "worker": row.lease_owner,
        "created_at": row.created_at,
        "claimed_at": row.claimed_at,
        "started_at": row.started_at,
        "completed_at": row.completed_at,
        "duration_ms": row.duration_ms,
        "key": row.key,
        "reply_to": row.reply_to,
        "error": row.error_message,
    }


def messages_document(rows: Iterable[MessageRow]) -> dict[str, Any]:
    return {"messages": [message_document(row) for row in rows]}


def attempt_document(row: AttemptRow) -> dict[str, Any]:
    """An attempt that did not complete."""
    return {
        "number": row.number,
        "outcome": row.outcome,
        "worker": row.worker,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "error": row.error,
    }


def tree_document(summary: TreeSummary) -> dict[str, Any]:
    """How it stands with a message and all that came of it."""
    by_status: dict[str, int] = {}
    for count in summary.counts:
        by_status[count.status] = by_status.get(count.status, 0) + count.count
    return {
        "total": summary.total,
        "by_status": by_status,
        "counts": [
            {"agent": count.recipient, "type": count.type, "status": count.status, "count": count.count}
            for count in summary.counts
        ],
        "failed": [
            {"id": row.task_id, "agent": row.recipient, "type": row.type, "error": row.error_message}
            for row in summary.failed
        ],
    }


def event_document(happening: Happening) -> dict[str, Any]:
    return {"at": happening.at, "kind": happening.kind, "subject": happening.subject, "detail": happening.detail}


def events_document(happenings: Iterable[Happening]) -> dict[str, Any]:
    return {"events": [event_document(happening) for happening in happenings]}


def resize_document(row: ResizeRow) -> dict[str, Any]:
    sizes = {"from": row.from_size, "to": row.to_size}
    return {"at": row.at, **sizes, "reason": row.reason, "readings": parsed(row.readings)}


def parsed(text: str | None) -> Any:
    """The value of JSON text from the store; the text itself if somebody put something else there with SQL."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
