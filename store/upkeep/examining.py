"""Is the file whole, and does what is in it agree with itself? It only reads, beside a running squad too."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from squad.errors import StoreError
from squad.store import migrations
from squad.store.faults import damage_hint
from squad.store.times import iso
from squad.store.upkeep import copying
from squad.store.upkeep.rules import ELSEWHERE, FULL_RULES, RULES, Rule

_MOST = 20  # faults of one kind that SQLite names
_EXAMPLES = 3  # rows named
_NOTICED = 60.0  # seconds
_STATUSES = ("queued", "running", "completed", "failed", "cancelled", "expired")
_BY_INDEX = {  # rows that an index on a part of the table must have, by the condition of that index
    "tasks_queued": "status = 'queued'",
    "tasks_running": "status = 'running'",
    "tasks_failed": "status = 'failed'",
    "tasks_ended": "completed_at IS NOT NULL",
}
_REINDEX = "stop the squad, and make its indexes anew: sqlite3 {path} REINDEX"
_TOTALS = (
    "only what squad status counts is wrong by that, no message; it is right again after:"
    ' squad stop; sqlite3 {path} "UPDATE totals SET messages ='
    ' (SELECT COUNT(*) FROM tasks WHERE tasks.status = totals.status)"'
)
_QUEUED = """
    SELECT recipient, SUM(kept), SUM(there) FROM (
        SELECT recipient, priority, delayed, messages AS kept, 0 AS there FROM queued
        UNION ALL
        SELECT recipient, priority, not_before IS NOT NULL, 0, COUNT(*) FROM tasks INDEXED BY tasks_queued
        WHERE status = 'queued' GROUP BY 1, 2, 3
    ) GROUP BY recipient, priority, delayed HAVING SUM(kept) != SUM(there)
"""
_COUNT_QUEUED = (
    "only what squad queue counts, and how many its mailbox takes, is wrong by that, no message; it is right again"
    ' after: squad stop; sqlite3 {path} "DELETE FROM queued; INSERT INTO queued SELECT recipient, priority,'
    " not_before IS NOT NULL, COUNT(*) FROM tasks WHERE status = 'queued' GROUP BY 1, 2, 3\""
)


@dataclass(frozen=True, slots=True)
class Fault:
    """``examples``: some of the messages or names that it is about."""

    name: str
    what: str
    todo: str
    examples: tuple[str, ...] = ()


@dataclass(slots=True)
class Examination:
    """``schema`` is the database's version, ``known`` this program's. Without ``faults`` the database is sound."""

    bytes: int
    full: bool
    schema: int = 0
    known: int = len(migrations.MIGRATIONS)
    messages: dict[str, int] = field(default_factory=dict)  # by status
    faults: list[Fault] = field(default_factory=list)


def examine(path: Path, *, full: bool, workers: Collection[str] | None = None) -> Examination:
    """See the module. ``workers``: those that live now, when a squad runs.

    ``full`` compares indexes with tables and reads all JSON as well, which takes several times as long. Raises
    StoreError for what is no database of ours or cannot be opened, NewerDatabaseError.
    """
    if not path.is_file():
        raise StoreError(
            f"there is no database {path}", hint="start a squad with `squad start`, or name a home: --home DIR"
        )
    found = Examination(os.stat(path).st_size, full)  # noqa: PTH116 - the same
    with closing(copying.reading(path)) as connection:
        try:
            found.schema = copying.known_schema(connection, path)
            found.faults += _damage(connection, path, full)
            connection.execute("BEGIN")  # all that follows sees one moment
            found.faults += _schema(connection, found.schema, path)
            if found.schema == found.known and not found.faults:
                found.faults += _contents(connection, path, full, found.messages)
                found.faults += _deserted(connection, workers)
        except sqlite3.DatabaseError as error:
            found.faults.append(Fault("damage", f"{path} cannot be read to its end: {error}", damage_hint(path)))
    return found


def _damage(connection: sqlite3.Connection, path: Path, full: bool) -> Iterator[Fault]:
    """What SQLite itself finds."""
    for (line,) in connection.execute(f"PRAGMA {'integrity' if full else 'quick'}_check({_MOST})"):
        if line != "ok":
            yield Fault("damage", str(line).replace("\n", " "), damage_hint(path))
    for table, row, *_ in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST) if full else ():
        yield Fault("references", f"row {row} of {table} belongs to a message that is not there", damage_hint(path))


def _schema(connection: sqlite3.Connection, version: int, path: Path) -> Iterator[Fault]:
    """What a database of this version has, and this one has not."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrations.migrate(model, path, migrations.MIGRATIONS[:version])
        expected = _objects(model)
    there = _objects(connection)
    for kind, name in sorted(expected - there):
        yield Fault("schema", f"the {kind} {name} is missing", damage_hint(path))


def _objects(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    rows = connection.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
    return {(kind, name) for kind, name in rows}


def _contents(connection: sqlite3.Connection, path: Path, full: bool, messages: dict[str, int]) -> Iterator[Fault]:
    """The squad's own rules, most of them in one walk through the table."""
    rules = RULES + FULL_RULES if full else RULES
    columns = [f"COALESCE(SUM({condition}), 0)" for condition in _conditions(rules)]
    counts = connection.execute(f"SELECT {', '.join(columns)} FROM tasks NOT INDEXED").fetchone()  # noqa: S608 - ours
    messages.update(zip(_STATUSES, counts, strict=False))
    indexed = counts[len(_STATUSES) : len(_STATUSES) + len(_BY_INDEX)]
    for (index, condition), number in zip(_BY_INDEX.items(), indexed, strict=True):
        by_index = connection.execute(f"SELECT COUNT(*) FROM tasks INDEXED BY {index} WHERE {condition}").fetchone()[0]  # noqa: S608
        if by_index != number:
            what = f"the index {index} has {by_index:,} messages, the table {number:,}"
            yield Fault("depths", what, _REINDEX.format(path=path))
    for rule, number in zip(rules, counts[len(_STATUSES) + len(_BY_INDEX) :], strict=True):
        if number:
            sql = f"SELECT task_id FROM tasks WHERE {rule.wrong} LIMIT {_EXAMPLES}"  # noqa: S608
            examples = tuple(str(row[0]) for row in connection.execute(sql))
            yield Fault(rule.name, f"{_counted(number)} {rule.what}", rule.todo, examples)
    totals = dict(connection.execute("SELECT status, messages FROM totals"))
    for status in ("completed", "failed", "cancelled", "expired"):
        if totals.get(status) != messages[status]:
            what = f"the totals say {totals.get(status)} messages {status}, and there are {messages[status]:,}"
            yield Fault("totals", what, _TOTALS.format(path=path))
    for recipient, kept, there in connection.execute(_QUEUED).fetchmany(_EXAMPLES):
        what = f"{kept:,} messages of one priority are said to wait for {recipient}, and there are {there:,}"
        yield Fault("totals", what, _COUNT_QUEUED.format(path=path), (recipient,))
    for name, sql, todo in ELSEWHERE:
        for about, why in connection.execute(sql).fetchmany(_EXAMPLES):
            yield Fault(name, f"{about} {why}", todo, (str(about),))


def _deserted(connection: sqlite3.Connection, workers: Collection[str] | None) -> Iterator[Fault]:
    """Leases of processes that have been gone for longer than it takes to notice."""
    if workers is None:
        return
    sql = "SELECT task_id, lease_owner FROM tasks WHERE status = 'running' AND claimed_at < ?"
    leases = connection.execute(sql, (iso(time.time() - _NOTICED),))
    tasks = tuple(task_id for task_id, worker in leases if worker not in workers)
    if tasks:
        what = f"{_counted(len(tasks))} are leased to processes that are gone"
        yield Fault("leases", what, "squad restart storage puts them back into their queues", tasks[:_EXAMPLES])


def _conditions(rules: tuple[Rule, ...]) -> Iterator[str]:
    yield from (f"status = '{status}'" for status in _STATUSES)
    yield from _BY_INDEX.values()
    yield from (rule.wrong for rule in rules)


def _counted(number: int) -> str:
    return f"{number:,} message{'' if number == 1 else 's'}"
