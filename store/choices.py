"""Choosing many messages at once: how many a filter means, and which, without reading what they hold."""

from __future__ import annotations

from typing import Any, NamedTuple

from peewee import Database

from squad.store.models import Task
from squad.store.queries import Filter


class Choice(NamedTuple):
    task_id: str
    recipient: str
    type: str


def count(database: Database, which: Filter) -> int:
    """How many messages fit."""
    return int(_fitting(Task.select(), which).count(database))


def chosen(database: Database, which: Filter, limit: int | None = None) -> list[Choice]:
    """Those that fit, in order of arrival; the first ``limit`` (None: all)."""
    query = _fitting(Task.select(Task.task_id, Task.recipient, Task.type), which).order_by(Task.id).limit(limit)
    return [Choice(*row) for row in query.tuples().execute(database)]


def _fitting(query: Any, which: Filter) -> Any:
    for condition in which.conditions():
        query = query.where(condition)
    return query
