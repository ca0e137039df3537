"""What people ask of the database."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from peewee import Database

from squad.errors import UsageError
from squad.store import choices, queries, queued
from squad.store.database import open_reader
from squad.store.queries import Filter
from squad.store.rows import NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

NOW = 1_800_000_000.0
Make = Callable[..., NewTask]

ROOT = "01900000-0000-7000-8000-00000000a001"
CHILD = "01900000-0000-7000-8000-00000000b002"
LONELY = "01911111-0000-7000-8000-00000000c003"


@pytest.fixture
def database(writer: Writer, path: Path, task: Make) -> Iterator[Database]:
    """``scan`` (root) was completed and set off a refused, a retried and a waiting ``check``; ``lonely`` waits."""
    with writer.transaction():
        writer.submit([task("scanner", task_id=ROOT, type="scan", payload='{"path": "/"}', key="once")], NOW)
        (lease,) = singly.claim(writer, "scanner", "scanner/1", 1, NOW)
        sends = [task("checker", task_id=CHILD, type="check", sender="scanner")]
        sends += [task("checker", type="check", sender="scanner") for _ in range(2)]
        done = Outcome(lease.row, lease.fence, "done", NOW, 12, result='{"files": 3}', sends=tuple(sends))
        singly.settle(writer, "scanner/1", "scanner", [done], NOW + 1, lambda *_: None)
        first, second = singly.claim(writer, "checker", "checker/1", 2, NOW + 1)
        outcomes = [
            Outcome(first.row, first.fence, "refused", NOW + 1, 1, error="no such file"),
            Outcome(second.row, second.fence, "error", NOW + 1, 1, error="boom"),
        ]
        singly.settle(writer, "checker/1", "checker", outcomes, NOW + 2, lambda *_: 60.0)
        writer.submit([task("reporter", task_id=LONELY, type="sum", sender="cli", priority=1)], NOW + 60)
        writer.record_events([("crash", "scanner", f"{number}") for number in range(5)], NOW)
        writer.record_resizes([("checker", 2, 4, "queue", "{}"), ("other", 1, 2, "cpu", "{}")], NOW)
        writer.put([("pinned", '{"checker": 4}')], NOW)
    with open_reader(path) as pool, pool.connection() as connection:
        yield connection


@pytest.mark.parametrize(
    ("which", "rows"),
    [
        (Filter(), [5, 4, 3, 2, 1]),
        (Filter(agent="checker"), [4, 3, 2]),
        (Filter(type="scan"), [1]),
        (Filter(status="failed"), [2]),
        (Filter(status="queued", agent="checker"), [4, 3]),
        (Filter(sender="scanner", status="failed"), [2]),
        (Filter(since=NOW + 60), [5]),
        (Filter(since=NOW + 61), []),
        (Filter(ended_since=NOW + 1), [2, 1]),
        (Filter(ended_since=NOW + 2), [2]),
        (Filter(ended_since=NOW + 3), []),
        (Filter(error="SUCH File"), [2]),
        (Filter(error="%"), []),
    ],
)
def test_messages(database: Database, which: Filter, rows: list[int]) -> None:
    assert [found.row for found in queries.messages(database, which)] == rows


def test_choosing_many(database: Database) -> None:
    checks = Filter(agent="checker")
    found = choices.chosen(database, checks)
    assert found[0] == (CHILD, "checker", "check")
    assert choices.count(database, checks) == len(found) == 3
    assert choices.chosen(database, checks, 2) == found[:2]
    assert (choices.count(database, Filter()), choices.count(database, Filter(agent="nobody"))) == (5, 0)


def test_messages_by_pages(database: Database) -> None:
    page = queries.messages(database, Filter(), limit=2)
    assert [found.row for found in page] == [5, 4]
    page = queries.messages(database, Filter(), limit=2, before=page[-1].row)
    assert [found.row for found in page] == [3, 2]


def test_a_messages_whole_life(database: Database) -> None:
    detail = queries.message(database, ROOT)
    found = detail.message
    assert (found.task_id, found.root_id, found.parent_id, found.key) == (ROOT, ROOT, None, "once")
    assert (found.status, found.attempts, found.duration_ms, found.lease_owner) == ("completed", 1, 12, "scanner/1")
    assert (found.created_at, found.completed_at) == ("2027-01-15T08:00:00.000Z", "2027-01-15T08:00:01.000Z")
    assert (detail.payload, detail.result) == ('{"path": "/"}', '{"files": 3}')
    assert detail.attempts == []
    assert detail.ancestors == []
    assert [child.row for child in detail.children] == [2, 3, 4]


def test_what_caused_it_and_what_went_wrong(database: Database) -> None:
    detail = queries.message(database, CHILD)
    assert [ancestor.task_id for ancestor in detail.ancestors] == [ROOT]
    assert [(attempt.number, attempt.outcome, attempt.error) for attempt in detail.attempts] == [
        (1, "refused", "no such file")
    ]
    assert detail.message.error_message == "no such file"
    assert detail.children_total == 0


def test_children_are_bounded(database: Database) -> None:
    detail = queries.message(database, ROOT, children=1)
    assert ([child.row for child in detail.children], detail.children_total) == ([2], 3)


def test_ancestors_start_at_the_root(writer: Writer, path: Path, task: Make) -> None:
    with writer.transaction():
        writer.submit([task(task_id="root"), task(task_id="middle", parent_id="root", root_id="root")], NOW)
        writer.submit([task(task_id="leaf-leaf", parent_id="middle", root_id="root")], NOW)
        writer.submit([task(task_id="orphan", parent_id="gone"), task(task_id="narcissus", parent_id="narcissus")], NOW)
    with open_reader(path) as pool, pool.connection() as database:
        leaf, orphan, own = (queries.message(database, name) for name in ("leaf-leaf", "orphan", "narcissus"))
    assert [ancestor.task_id for ancestor in leaf.ancestors] == ["root", "middle"]
    assert orphan.ancestors == own.ancestors == []


@pytest.mark.parametrize("text", [ROOT, ROOT.upper(), f" {ROOT} ", "00a001", "0000000a001"])
def test_an_id_or_the_end_of_it(database: Database, text: str) -> None:
    assert queries.find(database, text) == ROOT


def test_the_beginning_of_an_id(database: Database) -> None:
    assert queries.find(database, "01911111") == LONELY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a001", "'a001' is too short"),
        ("00ffff", "there is no message '00ffff'"),
        ("01900000", f"'01900000' fits several messages: {CHILD}, {ROOT}$"),
        ("%_%_%_%", "there is no message"),
        ("", "'' is too short"),
    ],
)
def test_an_id_that_means_no_one_message(database: Database, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        queries.find(database, text)
    assert caught.value.hint


def test_an_ambiguous_id_lists_a_few(writer: Writer, path: Path, task: Make) -> None:
    with writer.transaction():
        writer.submit([task(task_id=f"number-{number}") for number in range(9)], NOW)
    with (
        open_reader(path) as pool,
        pool.connection() as database,
        pytest.raises(UsageError, match=r"number-8, number-7, number-6, number-5, number-4, …$"),
    ):
        queries.find(database, "number")


def test_a_tree(database: Database) -> None:
    tree = queries.tree(database, ROOT)
    assert [(count.recipient, count.type, count.status, count.count) for count in tree.counts] == [
        ("checker", "check", "failed", 1),
        ("checker", "check", "queued", 2),
        ("scanner", "scan", "completed", 1),
    ]
    assert tree.total == 4
    assert [(dead.task_id, dead.error_message) for dead in tree.failed] == [(CHILD, "no such file")]
    assert queries.tree(database, ROOT, failed=0).failed == []
    assert queries.tree(database, CHILD).total == 1


def test_depths_and_counts(database: Database) -> None:
    assert queries.queue_depth(database) == [
        queries.Depth("checker", 2, 0, 2, 0),
        queries.Depth("reporter", 1, 1, 0, 0),
    ]
    assert queries.open_counts(database) == {"checker": (1, 0), "reporter": (1, 0)}
    assert queries.totals(database) == {"queued": 3, "completed": 1, "failed": 1}


def test_the_newest_of_many_that_wait(
    path: Path, writer: Writer, task: Make, sql: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait, and wherever: those that sorting all of them would give."""
    monkeypatch.setattr(queued, "_SORTED", 0)
    chance = random.Random(7)  # noqa: S311 - for choosing only
    with writer.transaction():
        for _ in range(300):
            delay = chance.choice((None, None, None, NOW + chance.randrange(1, 90)))
            rows = [task(chance.choice("abc"), priority=chance.choice((1, 5, 5, 9)), not_before=delay)]
            writer.submit(rows, NOW)
        singly.claim(writer, "b", "b/1", 20, NOW)
        writer.due(NOW + 30)
    with open_reader(path) as pool, pool.connection() as database:
        for agent, before, limit in product((None, "a", "x"), (None, 100, 1), (1, 7, 60, 1000)):
            expected = sql(
                "SELECT id FROM tasks WHERE status = 'queued' AND recipient = COALESCE(?1, recipient)"
                " AND id < COALESCE(?2, 1000) ORDER BY id DESC LIMIT ?3",
                agent, before, limit,
            )  # fmt: skip
            which = Filter(status="queued", agent=agent)
            found = queries.messages(database, which, limit, before)
            assert [message.row for message in found] == [row for (row,) in expected]
            assert queued.are_many(database, agent, limit) is (agent != "x")


def test_running_messages_are_open(database: Database, writer: Writer) -> None:
    with writer.transaction():
        singly.claim(writer, "reporter", "reporter/1", 1, NOW)
    assert queries.open_counts(database) == {"checker": (1, 0), "reporter": (0, 1)}


def test_resizes_and_keeper(database: Database) -> None:
    at = "2027-01-15T08:00:00.000Z"
    assert queries.resizes(database, "checker") == [queries.ResizeRow(at, "checker", 2, 4, "queue", "{}")]
    assert [resize.convoy for resize in queries.resizes(database)] == ["other", "checker"]
    assert queries.keeper(database) == {"pinned": queries.Kept('{"checker": 4}', at)}
