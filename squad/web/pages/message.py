"""One message: its life as a timeline, why it waits, what caused it and what it caused, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from squad.errors import SquadError, UsageError
from squad.store import history, queries
from squad.store.family import family
from squad.store.times import iso
from squad.web.asked import Asked, MissingError
from squad.web.wording import worker_name

if TYPE_CHECKING:
    from peewee import Database

_BY_HAND = ("replayed", "edited", "dropped")
_SOONEST = {"queued", "running"}


@dataclass(frozen=True, slots=True)
class Step:
    """A moment in its life. ``after`` is how long the one before it lasted, milliseconds; ``error`` is a traceback."""

    at: str
    what: str
    tone: str
    detail: str = ""
    error: str = ""
    after: float | None = None


class MessagePage:
    path = "/messages/{id}"
    template = "message.html"
    title = "Message"
    every = 1.0

    async def read(self, asked: Asked) -> dict[str, Any]:
        task_id = asked.names["id"]

        def stored(database: Database) -> dict[str, Any]:
            detail = queries.message(database, task_id, children=0)
            by_hand = history.recorded(database, [detail.message.task_id], _BY_HAND)
            return {"detail": detail, "steps": steps(detail, by_hand), "family": family(database, detail.message)}

        try:
            found = await asked.stored(stored)
        except UsageError as error:
            raise MissingError(error.message, hint=error.hint) from None
        message = found["detail"].message
        return found | {
            "title": f"{message.type} {message.task_id[-12:]}",
            "message": message,
            "why": await self._why(asked, message.task_id) if message.status in _SOONEST else None,
        }

    async def _why(self, asked: Asked, task_id: str) -> dict[str, Any] | None:
        """What holds it; None when the squad does not say."""
        try:
            return await asked.gate.why(task_id)
        except SquadError:
            return None


def steps(detail: queries.Detail, by_hand: list[history.Happening]) -> list[Step]:
    """Its life in order: how it came, each attempt, what people did, and how it stands or ended."""
    message = detail.message
    found = [Step(message.created_at, "arrived", "calm", f"from {message.sender} for {message.recipient}")]
    if message.not_before is not None and message.status == "queued":
        found.append(Step(iso(message.not_before), "is ready", "calm", "not handed out before"))
    for attempt in detail.attempts:
        if attempt.started_at:
            found.append(
                Step(attempt.started_at, f"attempt {attempt.number} begun", "busy", f"by {worker_name(attempt.worker)}")
            )
        last = message.status == "failed" and attempt is detail.attempts[-1]
        what = f"attempt {attempt.number} failed{', for good' if last else ''}"
        found.append(Step(attempt.ended_at, what, "bad" if last else "warn", attempt.outcome, attempt.error))
    found += [Step(one.at, f"{one.kind} by hand", "calm") for one in by_hand]
    own = {attempt.started_at for attempt in detail.attempts}
    if message.claimed_at and message.status in ("running", "completed"):
        found.append(Step(message.claimed_at, "handed over", "calm", f"to {worker_name(message.lease_owner)}"))
    if message.started_at and message.started_at not in own:
        found.append(Step(message.started_at, "begun", "busy", f"by {worker_name(message.lease_owner)}"))
    if message.completed_at and not (message.status == "failed" and detail.attempts):
        tone = {"completed": "good", "failed": "bad"}.get(message.status, "warn")
        found.append(Step(message.completed_at, message.status, tone, "", message.error_message or ""))
    ordered = sorted(found, key=lambda step: step.at)
    return [_after(step, ordered[n - 1] if n else None) for n, step in enumerate(ordered)]


def _after(step: Step, before: Step | None) -> Step:
    if before is None:
        return step
    try:
        passed = datetime.fromisoformat(step.at) - datetime.fromisoformat(before.at)
    except (ValueError, TypeError):
        return step
    return Step(step.at, step.what, step.tone, step.detail, step.error, passed.total_seconds() * 1000)
