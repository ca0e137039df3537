"""What people ask of the database, as typed rows. Every function takes a connection of ``squad.store.database.Pool``.

    with pool.connection() as database:
        newest = queries.messages(database, queries.Filter(status="failed"), limit=20)

Times are ISO 8601 text and JSON is text, as stored. A row of a list leaves out what may be large.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from peewee import SQL, Database, Expression, fn

from squad.errors import UsageError
from squad.store import queued
from squad.store.database import fetch
from squad.store.models import ArchivedAttempt, ArchivedTask, Attempt, ConvoyResize, Keeper, QueueDepth, Task
from squad.store.times import iso

Messages = type[Task]
"""``Task`` or ``ArchivedTask``."""

_SHORTEST = 6  # characters of an id that are enough to look for it
_CANDIDATES = 5  # that an ambiguous id lists
_KEPT = ((Task, Attempt), (ArchivedTask, ArchivedAttempt))  # where messages are, in the order in which they are sought


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which messages; None: all.

    ``agent`` is the recipient. ``since`` (creation) and ``ended_since`` are in seconds since the epoch. ``error`` is a
    part of the error's text; upper and lower case of ASCII letters are the same.
    """

    agent: str | None = None
    type: str | None = None
    status: str | None = None
    sender: str | None = None
    since: float | None = None
    ended_since: float | None = None
    error: str | None = None

    def conditions(self, task: Messages = Task) -> list[Expression]:
        pairs = ((task.recipient, self.agent), (task.type, self.type), (task.status, self.status))
        found = [column == value for column, value in (*pairs, (task.sender, self.sender)) if value is not None]
        if self.since is not None:
            found.append(task.created_at >= iso(self.since))
        if self.ended_since is not None:
            found.append(task.completed_at >= iso(self.ended_since))
        if self.error is not None:
            found.append(fn.INSTR(fn.LOWER(task.error_message), fn.LOWER(self.error)) > 0)
        return found


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message without its payload and result. ``row`` is its place in the order of arrival."""

    row: int
    task_id: str
    parent_id: str | None
    root_id: str
    sender: str
    recipient: str
    type: str
    priority: int
    status: str
    attempts: int
    not_before: float | None
    expires_at: float | None
    lease_owner: str | None
    claimed_at: str | None
    reply_to: str | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    key: str | None
    error_message: str | None


def columns(task: Messages) -> tuple[Any, ...]:
    """Those of a MessageRow."""
    names = [name for name in MessageRow.__dataclass_fields__ if name not in ("row", "root_id")]
    found = {"row": task.id, "root_id": fn.COALESCE(task.root_id, task.task_id)}
    found |= {name: getattr(task, name) for name in names}
    return tuple(found[name] for name in MessageRow.__dataclass_fields__)


COLUMNS = columns(Task)


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt that did not complete; ``outcome`` is error, timeout, refused, crash, hung or ceiling."""

    number: int
    worker: str
    started_at: str | None
    ended_at: str
    outcome: str
    error: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One message's whole life."""

    message: MessageRow
    payload: str
    result: str | None
    attempts: list[AttemptRow]
    ancestors: list[MessageRow]
    """What caused it: its root first, its parent last."""
    children: list[MessageRow]
    """What it caused, in order of arrival; the first of ``children_total``."""
    children_total: int
    archived: bool = False


@dataclass(frozen=True, slots=True)
class TreeCount:
    recipient: str
    type: str
    status: str
    count: int


@dataclass(frozen=True, slots=True)
class TreeSummary:
    """A message and all that came of it."""

    counts: list[TreeCount]
    failed: list[MessageRow]
    """The first dead letters among them, in order of arrival."""

    @property
    def total(self) -> int:
        return sum(count.count for count in self.counts)


@dataclass(frozen=True, slots=True)
class Depth:
    """Waiting messages of one recipient: priority 1-2, 3-7 and 8-10."""

    agent: str
    queued: int
    high: int
    normal: int
    low: int


@dataclass(frozen=True, slots=True)
class ResizeRow:
    at: str
    convoy: str
    from_size: int
    to_size: int
    reason: str
    readings: str


@dataclass(frozen=True, slots=True)
class Kept:
    value: str
    updated_at: str


def messages(database: Database, which: Filter, limit: int = 100, before: int | None = None) -> list[MessageRow]:
    """The newest first. For the next page say ``before=`` the ``row`` of the last one."""
    if which == Filter(status="queued", agent=which.agent):
        with database.atomic():
            if queued.are_many(database, which.agent, limit):
                rows = queued.newest(database, which.agent, before, limit)
                these = Task.select(*COLUMNS).where(Task.id.in_(SQL("(SELECT value FROM json_each(?))", [rows])))
                return message_rows(database, these.order_by(Task.id.desc()))
    return message_rows(database, _newest(which, limit, before))


def _newest(which: Filter, limit: int, before: int | None = None) -> Any:
    conditions = which.conditions()
    if before is not None:
        conditions.append(Task.id < before)
    query = Task.select(*COLUMNS).order_by(Task.id.desc()).limit(limit)
    if which.status == "queued":  # which no index has in this order: only their ids are sorted
        return query.where(Task.id.in_(Task.select(Task.id).where(*conditions).order_by(Task.id.desc()).limit(limit)))
    return query.where(*conditions) if conditions else query


def message(database: Database, text: str, children: int = 100) -> Detail:
    """One message by its id, or by the beginning or the end of it when no other message's is the same.

    Raises UsageError when there is none, when it is shorter than 6 characters, or when several fit (naming them).
    """
    with database.atomic():  # one snapshot for all the questions
        task_id = find(database, text)
        task, attempt = next(kept for kept in _KEPT if _has(database, kept[0], task_id))
        chosen = task.select(*columns(task), task.payload, task.result).where(task.task_id == task_id)
        *row, payload, result = next(iter(chosen.order_by(task.id.desc()).limit(1).tuples().execute(database)))
        found = MessageRow(*row)
        caused = [
            child
            for kept, _ in _KEPT
            for child in message_rows(
                database,
                kept.select(*columns(kept)).where(kept.parent_id == task_id).order_by(kept.id).limit(children),
            )
        ]
        return Detail(
            message=found,
            payload=payload,
            result=result,
            attempts=_attempts(database, attempt, found.row),
            ancestors=_ancestors(database, found),
            children=sorted(caused, key=lambda child: child.row)[:children],
            children_total=sum(kept.select().where(kept.parent_id == task_id).count(database) for kept, _ in _KEPT),
            archived=task is ArchivedTask,
        )


def archived(database: Database, which: Filter, limit: int = 100) -> list[MessageRow]:
    """Of those that have left for the archive, the newest first."""
    query = ArchivedTask.select(*columns(ArchivedTask)).where(*which.conditions(ArchivedTask), ArchivedTask.id > 0)
    return message_rows(database, query.order_by(ArchivedTask.id.desc()).limit(limit))


def _has(database: Database, task: Messages, task_id: str) -> bool:
    return bool(task.select().where(task.task_id == task_id).exists(database))


def find(database: Database, text: str) -> str:
    """The full id that ``text`` means. Raises UsageError as ``message`` does."""
    text = text.strip().lower()
    if any(_has(database, task, text) for task, _ in _KEPT):
        return text
    if len(text) < _SHORTEST:
        raise UsageError(
            f"{text!r} is too short for a message's id", hint=f"give its last {_SHORTEST} characters or more"
        )
    # The beginning is looked up in the index; the end needs a pass over all of it.
    found = next((ids for task, _ in _KEPT if (ids := _ids(database, task, text))), [])
    if not found:
        raise UsageError(f"there is no message {text!r}", hint="`squad message list` shows the newest")
    if len(found) > 1:
        more = ", …" if len(found) > _CANDIDATES else ""
        raise UsageError(
            f"{text!r} fits several messages: {', '.join(found[:_CANDIDATES])}{more}",
            hint="give more characters; the last ones differ most",
        )
    return str(found[0])


def statuses(database: Database, ids: Collection[str]) -> dict[str, str]:
    """By id, of those that are still kept."""
    found = (task.select(task.task_id, task.status).where(task.task_id.in_(list(ids))) for task, _ in _KEPT)
    return {task_id: status for query in found for task_id, status in query.tuples().execute(database)}


def _ids(database: Database, task: Messages, text: str) -> list[str]:
    """The newest first, by their own order: then the index is all that is read."""
    begins = (task.task_id >= text) & (task.task_id < text + "\U0010ffff")
    for fits in (begins, fn.SUBSTR(task.task_id, -len(text)) == text):
        query = task.select(task.task_id).where(fits).order_by(task.task_id.desc()).limit(_CANDIDATES + 1)
        if found := [row[0] for row in query.tuples().execute(database)]:
            return found
    return []


def _attempts(database: Database, attempt: Any, row: int) -> list[AttemptRow]:
    query = attempt.select(*(getattr(attempt, name) for name in AttemptRow.__dataclass_fields__))
    found = query.where(attempt.task == row).order_by(attempt.id).tuples().execute(database)
    return [AttemptRow(*values) for values in found]


def _ancestors(database: Database, child: MessageRow) -> list[MessageRow]:
    chain: list[MessageRow] = []
    seen = {child.task_id}
    parent = child.parent_id
    while parent is not None and parent not in seen:  # a row edited by hand could name itself
        seen.add(parent)
        look = (task.select(*columns(task)).where(task.task_id == parent).limit(1) for task, _ in _KEPT)
        found = next((rows for query in look if (rows := message_rows(database, query))), [])
        chain[:0] = found
        parent = found[0].parent_id if found else None
    return chain


_TREE = """
    WITH RECURSIVE tree (task_id) AS (
        SELECT ?
        UNION
        SELECT tasks.task_id FROM tree JOIN tasks ON tasks.parent_id = tree.task_id
        UNION
        SELECT old.task_id FROM tree JOIN tasks_archive AS old ON old.parent_id = tree.task_id
    )
"""
_TREE_COUNTS = f"""
    {_TREE}
    SELECT recipient, type, status, COUNT(*)
    FROM (SELECT recipient, type, status FROM tree JOIN tasks USING (task_id)
          UNION ALL SELECT recipient, type, status FROM tree JOIN tasks_archive USING (task_id))
    GROUP BY recipient, type, status ORDER BY recipient, type, status
"""  # noqa: S608 - a constant
# CROSS: in this order. There may be more dead letters than messages in the tree.
_TREE_FAILED = f"""
    {_TREE}
    SELECT id FROM tree CROSS JOIN tasks USING (task_id) WHERE status = 'failed' ORDER BY id LIMIT ?
"""  # noqa: S608 - a constant


def tree(database: Database, task_id: str, failed: int = 10) -> TreeSummary:
    """How it stands with a message (full id) and all that came of it, and up to ``failed`` of its dead letters, which
    are not in the archive."""
    with database.atomic():
        counted = [TreeCount(*row) for row in fetch(database, _TREE_COUNTS, task_id)]
        dead = [row[0] for row in fetch(database, _TREE_FAILED, task_id, failed)]
        chosen = Task.select(*COLUMNS).where(Task.id.in_(dead)).order_by(Task.id)
        return TreeSummary(counted, message_rows(database, chosen))


def queue_depth(database: Database) -> list[Depth]:
    """Recipients with waiting messages; those without any are not in it."""
    query = QueueDepth.select(
        QueueDepth.agent,
        QueueDepth.queued_tasks,
        QueueDepth.high_priority,
        QueueDepth.normal_priority,
        QueueDepth.low_priority,
    ).order_by(QueueDepth.agent)
    return [Depth(*row) for row in query.tuples().execute(database)]


_READY_COUNTS = "SELECT recipient, SUM(messages) FROM queued WHERE delayed = 0 GROUP BY recipient"
# Literals, not parameters: only then is a partial index sure to be used.
_RUNNING_COUNTS = "SELECT recipient, COUNT(*) FROM tasks WHERE status = 'running' GROUP BY recipient"
_TOTALS = """
    SELECT 'queued', COALESCE(SUM(messages), 0) FROM queued
    UNION ALL SELECT 'running', COUNT(*) FROM tasks WHERE status = 'running'
    UNION ALL SELECT status, messages FROM totals
"""


def open_counts(database: Database) -> dict[str, tuple[int, int]]:
    """Per recipient how many messages are ready (not delayed) and how many running. Counts only what runs."""
    ready = {agent: count for agent, count in fetch(database, _READY_COUNTS) if count}
    running = dict(fetch(database, _RUNNING_COUNTS))
    return {agent: (ready.get(agent, 0), running.get(agent, 0)) for agent in ready.keys() | running.keys()}


def totals(database: Database) -> dict[str, int]:
    """How many messages there are by status, of all that are kept. Counts only what runs."""
    found = {str(status): int(messages) for status, messages in fetch(database, _TOTALS)}
    return {status: messages for status, messages in found.items() if messages}


def totals_of(database: Database, recipient: str) -> dict[str, int]:
    """The same of one recipient's messages. Walks through all that are kept: about half a second for each million."""
    query = Task.select(Task.status, fn.COUNT(Task.id)).where(Task.recipient == recipient).group_by(Task.status)
    return dict(query.tuples().execute(database))


def resizes(database: Database, convoy: str | None = None, limit: int = 20) -> list[ResizeRow]:
    """Changes of convoys' sizes, the newest first."""
    query = ConvoyResize.select(
        ConvoyResize.at,
        ConvoyResize.convoy,
        ConvoyResize.from_size,
        ConvoyResize.to_size,
        ConvoyResize.reason,
        ConvoyResize.readings,
    )
    if convoy is not None:
        query = query.where(ConvoyResize.convoy == convoy)
    return [ResizeRow(*row) for row in query.order_by(ConvoyResize.id.desc()).limit(limit).tuples().execute(database)]


def keeper(database: Database) -> dict[str, Kept]:
    """What the supervisor keeps: key -> JSON text and when it was put."""
    query = Keeper.select(Keeper.key, Keeper.value, Keeper.updated_at)
    return {key: Kept(value, at) for key, value, at in query.tuples().execute(database)}


def message_rows(database: Database, query: Any) -> list[MessageRow]:
    """What a query of COLUMNS finds."""
    return [MessageRow(*row) for row in query.tuples().execute(database)]
