"""Why a message has not ended, as one document: what ``squad inspect --why`` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from squad.actors.why.handled import runs
from squad.actors.why.reasons import Facts, Reason
from squad.actors.why.waiting import waits
from squad.store.times import iso

_ORDER = {"by_hand": 0, "unknown": 1, "after": 3}  # all others have a time


def reasons(facts: Facts) -> list[Reason]:
    """All that holds it, what clears last first; [] once it has ended."""
    status = facts.waiting.message.status
    found = waits(facts) if status == "queued" else runs(facts) if status == "running" else []
    return sorted(found, key=lambda reason: (_ORDER.get(reason.how, 2), -(reason.clears_at or 0.0)))


def document(facts: Facts) -> dict[str, Any]:
    """See docs/json.md."""
    message = facts.waiting.message
    queued = message.status == "queued"
    return {
        "id": message.task_id,
        "recipient": message.recipient,
        "type": message.type,
        "sender": message.sender,
        "priority": message.priority,
        "status": message.status,
        "created_at": message.created_at,
        "expires_at": _iso(message.expires_at) if queued else None,
        "completed_at": message.completed_at,
        "error": message.error_message,
        "position": _position(facts) if queued else None,
        "lease": _lease(facts),
        "reasons": [reason.document() for reason in reasons(facts)],
    }


def _position(facts: Facts) -> dict[str, Any]:
    waiting = facts.waiting
    rate = None if waiting.per_minute is None else round(waiting.per_minute, 3)
    return {"ahead": waiting.ahead, "per_minute": rate, "over_seconds": round(waiting.seconds, 3)}


def _lease(facts: Facts) -> dict[str, Any] | None:
    own = facts.waiting.own
    if own is None:
        return None
    hands = [hand for worker in facts.workers if (hand := facts.hand(worker)) and hand[0] == own.task_id]
    begun = hands[0][2] if hands else None
    timeout = facts.timeout
    return {
        "worker": own.worker,
        "fence": own.fence,
        "since": own.claimed_at,
        "handler_since": _iso(begun),
        "timeout_at": None if begun is None or timeout is None else iso(begun + timeout),
        "cancelled": own.cancelling is not None,
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)


def running_workers(about: Mapping[str, Any]) -> Sequence[str]:
    """Those that can be asked what they are at."""
    return [worker["worker"] for worker in about["workers"] if worker["worker"]]
