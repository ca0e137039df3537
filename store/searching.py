"""Searching messages, page by page, in bounded time however many there are.

What an index gives in the order of arrival is read from there. Everything else is looked for from the newest to the
oldest in windows of ids, each as wide as the time of the one before allows, until a page is full or the time is up; the
answer then says where to go on. So no search needs an index of its own, which every message would pay for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peewee import SQL, Database, Expression, fn

from squad.store.models import Task
from squad.store.queries import COLUMNS, MessageRow, message_rows
from squad.store.times import iso

_FIRST = 256  # ids in the first window: there may be a megabyte in each row
_WIDEST = 1 << 16
_QUICK = 0.01  # seconds: a window that took less is followed by one of twice the width, another by one of half
_FEW = 5000  # waiting messages up to which the index of them is read whole and sorted
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-?[0-9a-f-]*")  # the beginning of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which messages; None: all. ``agent`` is the recipient.

    ``text`` is looked for in ids, payloads, results, errors and keys; upper and lower case of ASCII letters are the
    same. ``error`` is a part of the error's text, likewise. ``since`` and ``until`` are times of arrival,
    ``ended_since`` one of the end, all in seconds since the epoch.
    """

    agent: str | None = None
    type: str | None = None
    status: str | None = None
    sender: str | None = None
    text: str | None = None
    error: str | None = None
    ended_since: float | None = None
    since: float | None = None
    until: float | None = None

    def conditions(self) -> list[Expression]:
        """All but its status and its times of arrival."""
        pairs = ((Task.recipient, self.agent), (Task.type, self.type), (Task.sender, self.sender))
        found = [column == value for column, value in pairs if value is not None]
        if self.text is not None:
            sought = fn.LOWER(self.text)
            columns = (Task.task_id, Task.payload, Task.error_message, Task.result, Task.key)
            has = [fn.INSTR(fn.LOWER(column), sought) > 0 for column in columns]
            found.append(has[0] | has[1] | has[2] | has[3] | has[4])
        if self.error is not None:
            found.append(fn.INSTR(fn.LOWER(Task.error_message), fn.LOWER(self.error)) > 0)
        if self.ended_since is not None:
            found.append(Task.completed_at >= iso(self.ended_since))
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """``rows`` have the newest first. ``more``: say ``before=more`` for what comes after them; None: that is all.
    ``back_to`` is when the last message arrived that was looked at, if the time was up before the page was full."""

    rows: list[MessageRow]
    more: int | None = None
    back_to: str | None = None


def search(  # noqa: PLR0913 - what and how much
    database: Database,
    which: Search,
    *,
    limit: int = 50,
    before: int | None = None,
    patience: float = 0.08,
    clock: Callable[[], float] = time.perf_counter,
) -> Found:
    """At most ``limit`` messages with a row below ``before``. After ``patience`` seconds it ends with what it has."""
    with database.atomic():  # one snapshot for all the questions
        top = highest(database) + 1 if before is None else before
        if which.until is not None:
            top = min(top, first_since(database, which.until))
        bottom = 1 if which.since is None else first_since(database, which.since)
        if which.text is not None and _ID.fullmatch(which.text.lower()):
            found = _by_id(database, which.text.lower(), limit)
            if found.rows:
                return found
        if which.status in ("running", "failed") or (which.status == "queued" and _few_wait(database)):
            return _by_status(database, which, (bottom, top), limit)
        deadline = clock() + patience
        return _by_windows(database, which, (bottom, top), limit, lambda: deadline - clock())


def _by_id(database: Database, beginning: str, limit: int) -> Found:
    fits = (Task.task_id >= beginning) & (Task.task_id < beginning + "\U0010ffff")
    return Found(message_rows(database, Task.select(*COLUMNS).where(fits).order_by(Task.task_id.desc()).limit(limit)))


def _by_status(database: Database, which: Search, rows: tuple[int, int], limit: int) -> Found:
    """By the partial index of its status, whose rows lie in order; only with a literal is it sure to be used."""
    inner = Task.select(Task.id).where(SQL(f"status = '{which.status}'"), *which.conditions())  # one of three words
    inner = inner.where(SQL("+id >= ?", [rows[0]]), SQL("+id < ?", [rows[1]]))  # +: not by the table's own order
    query = Task.select(*COLUMNS).where(Task.id.in_(inner.order_by(Task.id.desc()).limit(limit + 1)))
    return _page(message_rows(database, query.order_by(Task.id.desc())), limit)


def _by_windows(
    database: Database, which: Search, rows: tuple[int, int], limit: int, left: Callable[[], float]
) -> Found:
    """``left()`` is the time that is left, in seconds."""
    conditions = which.conditions()
    if which.status is not None:
        conditions.append(Task.status == which.status)
    bottom, top = rows
    width = _FIRST
    found: list[MessageRow] = []
    while top > bottom and len(found) <= limit:
        before = left()
        if before < 0:
            return Found(found, top, _arrival(database, top))
        low = max(bottom, top - width)
        query = Task.select(*COLUMNS).where(Task.id < top, Task.id >= low, *conditions)
        found += message_rows(database, query.order_by(Task.id.desc()).limit(limit + 1 - len(found)))
        top = low
        width = min(width * 2, _WIDEST) if before - left() < _QUICK else max(width // 2, _FIRST)
    return _page(found, limit)


def _page(rows: list[MessageRow], limit: int) -> Found:
    return Found(rows) if len(rows) <= limit else Found(rows[:limit], rows[limit - 1].row)


def _few_wait(database: Database) -> bool:
    return bool(_one(database, "SELECT COALESCE(SUM(messages), 0) FROM queued") <= _FEW)


def highest(database: Database) -> int:
    """The row of the newest message; 0 when there is none."""
    return int(_one(database, "SELECT COALESCE(MAX(id), 0) FROM tasks"))


def first_since(database: Database, at: float) -> int:
    """The row of the first message that arrived at ``at`` or later; one above the highest when none has.

    Found by halving, since rows are in the order of arrival.
    """
    moment = iso(at)
    low, high = 1, highest(database) + 1
    while low < high:
        middle = (low + high) // 2
        row = _first(database, "SELECT id, created_at FROM tasks WHERE id >= ? ORDER BY id LIMIT 1", middle)
        if row is not None and row[1] < moment:
            low = row[0] + 1
        else:
            high = middle
    return low


def _arrival(database: Database, row: int) -> str | None:
    found = _first(database, "SELECT created_at FROM tasks WHERE id >= ? ORDER BY id LIMIT 1", row)
    return None if found is None else str(found[0])


def _first(database: Database, sql: str, *parameters: object) -> Any:
    return database.execute_sql(sql, parameters).fetchone()  # type: ignore[no-untyped-call]


def _one(database: Database, sql: str, *parameters: object) -> Any:
    return _first(database, sql, *parameters)[0]
