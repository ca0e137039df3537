"""What the database knows of why a message waits: its place in its queue, how fast that moves, and what is on hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from peewee import Database

from squad.store import queries
from squad.store.database import fetch
from squad.store.holds import KEY, Holds
from squad.store.models import Keeper
from squad.store.queries import AttemptRow, MessageRow
from squad.store.times import iso, seconds

_MINUTES = 5  # of the past from which the rate is taken
_MOST = 20_000  # ends that are looked at; a squad that is busier has its rate from less of the past
_FEW = 5  # ends from which a rate over less than a minute means little


class Claimed(NamedTuple):
    """A message that a worker has: the one that its handler is at, or one that waits behind that."""

    task_id: str
    type: str
    worker: str
    claimed_at: str
    fence: int
    cancelling: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message, and what else its recipient's queue holds. ``ahead`` are ready and are handed out before it.

    ``per_minute`` messages of its recipient have ended over the last ``seconds``; None when none has.
    """

    message: MessageRow
    result: str | None
    failure: AttemptRow | None  # its last failed attempt
    own: Claimed | None  # while it runs
    ahead: int
    claimed: list[Claimed]  # of its recipient, the first first
    per_minute: float | None
    seconds: float
    fence: int
    holds: Holds


# Literals, not parameters: only then is a partial index sure to be used.
_CLAIMED = """
    SELECT task_id, type, lease_owner, claimed_at, fence, cancelling FROM tasks
    WHERE status = 'running' AND recipient = ? ORDER BY claimed_at, id
"""
_HIGHER = "SELECT COALESCE(SUM(messages), 0) FROM queued WHERE recipient = ? AND delayed = 0 AND priority < ?"
_OLDER = """
    SELECT COUNT(*) FROM tasks
    WHERE status = 'queued' AND recipient = ? AND not_before IS NULL AND priority = ? AND id < ?
"""
_ENDED = """
    SELECT COUNT(*), MIN(completed_at) FROM (
        SELECT recipient, status, completed_at FROM tasks
        WHERE completed_at IS NOT NULL AND completed_at >= ? ORDER BY completed_at DESC LIMIT ?
    ) WHERE recipient = ? AND status IN ('completed', 'failed')
"""


def look(database: Database, text: str, now: float) -> Waiting:
    """The message whose id is, begins with or ends with ``text``. Raises UsageError as ``queries.message`` does."""
    with database.atomic():  # one snapshot for all the questions
        detail = queries.message(database, text, children=0)
        message = detail.message
        name = message.recipient
        claimed = [Claimed(*row) for row in fetch(database, _CLAIMED, name)]
        per_minute, over = _rate(database, name, now)
        (fence,) = fetch(database, "SELECT fence FROM tasks WHERE id = ?", message.row)[0]
        return Waiting(
            message=message,
            result=detail.result,
            failure=detail.attempts[-1] if detail.attempts else None,
            own=next((lease for lease in claimed if lease.task_id == message.task_id), None),
            ahead=_ahead(database, message) if message.status == "queued" else 0,
            claimed=claimed,
            per_minute=per_minute,
            seconds=over,
            fence=int(fence),
            holds=holds(database),
        )


def holds(database: Database) -> Holds:
    """What is on hold."""
    query = Keeper.select(Keeper.value).where(Keeper.key == KEY).tuples()
    return Holds.read(next((row[0] for row in query.execute(database)), None))


def _ahead(database: Database, message: MessageRow) -> int:
    higher = fetch(database, _HIGHER, message.recipient, message.priority)[0][0]
    older = fetch(database, _OLDER, message.recipient, message.priority, message.row)[0][0]
    return int(higher + older)


def _rate(database: Database, recipient: str, now: float) -> tuple[float | None, float]:
    """How many end a minute, and over how many seconds that was measured: since the first end of the last minutes."""
    count, first = fetch(database, _ENDED, iso(now - _MINUTES * 60), _MOST, recipient)[0]
    if not count:
        return None, _MINUTES * 60.0
    passed = max(now - seconds(first), 60.0 if count < _FEW else 1.0)
    return count * 60 / passed, passed
