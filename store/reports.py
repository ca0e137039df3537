"""What people ask of the database, answered in full: for the command line and over HTTP alike.

Every function takes a connection of ``squad.store.database.Pool``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import Database

from squad.store import choices, history, queries, waiting
from squad.store.documents import attempt_document, message_document, parsed, tree_document
from squad.store.history import Happening
from squad.store.queries import Detail, Filter, MessageRow, TreeSummary

STATUSES = ("queued", "running", "completed", "failed", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class Life:
    """``events`` are those that were recorded about the message: somebody replayed it or changed its payload."""

    detail: Detail
    summary: TreeSummary
    events: list[Happening]

    def document(self) -> dict[str, Any]:
        detail = self.detail
        return {
            **message_document(detail.message),
            "payload": parsed(detail.payload),
            "result": parsed(detail.result),
            "archived": detail.archived,
            "failed_attempts": [attempt_document(row) for row in detail.attempts],
            "events": [{"at": event.at, "kind": event.kind, "detail": event.detail} for event in self.events],
            "causes": [message_document(row) for row in detail.ancestors],
            "effects": [message_document(row) for row in detail.children],
            "effects_total": detail.children_total,
            "tree": tree_document(self.summary),
        }


def life(database: Database, text: str, effects: int) -> Life:
    """One message's whole life, by its id or a part of it, with at most so many of those that it caused.

    Raises UsageError when none fits, or several.
    """
    with database.atomic():
        detail = queries.message(database, text, effects)
        task_id = detail.message.task_id
        return Life(detail, queries.tree(database, task_id, failed=10), history.about(database, task_id))


@dataclass(frozen=True, slots=True)
class Dead:
    """Dead letters, and how many there are in all that fit."""

    rows: list[MessageRow]
    total: int

    def document(self) -> dict[str, Any]:
        return {"dead": [message_document(row) for row in self.rows], "total": self.total}


def dead(database: Database, which: Filter, limit: int) -> Dead:
    """The newest that fit."""
    with database.atomic():
        return Dead(queries.messages(database, which, limit), choices.count(database, which))


def queues(database: Database) -> dict[str, Any]:
    """How many messages wait for whom, and what is on hold."""
    with database.atomic():
        depths = {depth.agent: depth for depth in queries.queue_depth(database)}
        counts = queries.open_counts(database)
        holds = waiting.holds(database)
    agents = []
    for name in sorted(depths.keys() | counts.keys() | holds.paused.keys()):
        depth = depths.get(name)
        queued, high, normal, low = (depth.queued, depth.high, depth.normal, depth.low) if depth else (0, 0, 0, 0)
        ready, running = counts.get(name, (0, 0))
        agents.append(
            {
                "agent": name,
                "queued": queued,
                "high": high,
                "normal": normal,
                "low": low,
                "delayed": queued - ready,
                "running": running,
                "held": "frozen" if holds.frozen is not None else "paused" if name in holds.paused else None,
            }
        )
    return {"agents": agents, **holds.document()}


def standing(database: Database, recipient: str | None = None) -> dict[str, Any]:
    """How many messages (None: of all recipients) have each status, and what is on hold."""
    with database.atomic():
        counts = queries.totals(database) if recipient is None else queries.totals_of(database, recipient)
        return {
            "messages": dict.fromkeys(STATUSES, 0) | counts,
            **waiting.holds(database).document(),
        }
