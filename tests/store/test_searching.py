"""Searching messages: every way to look for them finds what reading all of them would."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.database import open_reader
from squad.store.family import family
from squad.store.queries import MessageRow
from squad.store.rows import NewTask, Outcome
from squad.store.searching import Search, first_since, highest, search
from squad.store.standing import standing
from squad.store.writer import Writer
from tests.store import singly

T0 = 1_790_000_000.0
COUNT = 600


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 messages that wait, a second apart."""
    path = tmp_path_factory.mktemp("filled") / "squad.db"
    with closing(Writer(path, StoreConfig())) as writer, writer.transaction():
        for n in range(COUNT):
            payload = f'{{"text": "Needle {n}"}}' if n % 97 == 0 else '{"text": "straw"}'
            sender, recipient = "cli" if n % 7 else "x", "a" if n % 2 else "b"
            writer.submit([NewTask(new_id(), sender, recipient, f"t{n % 5}", payload)], T0 + n)
    return path


def all_pages(path: Path, which: Search, limit: int = 20, **more: Any) -> list[MessageRow]:
    """Every page, one after the other."""
    found: list[MessageRow] = []
    before = None
    with open_reader(path) as pool, pool.connection() as database:
        while True:
            page = search(database, which, limit=limit, before=before, **more)
            assert len(page.rows) <= limit
            found += page.rows
            if page.more is None:
                return found
            assert before is None or page.more < before
            before = page.more


WANTED: list[tuple[Search, Callable[[int], bool]]] = [
    (Search(), lambda n: True),
    (Search(agent="a"), lambda n: n % 2 == 1),
    (Search(type="t3", agent="b"), lambda n: n % 5 == 3 and n % 2 == 0),
    (Search(sender="x"), lambda n: n % 7 == 0),
    (Search(status="queued"), lambda n: True),
    (Search(status="queued", agent="a"), lambda n: n % 2 == 1),
    (Search(status="failed"), lambda n: False),
    (Search(status="running"), lambda n: False),
    (Search(status="no such thing"), lambda n: False),
    (Search(text="NEEDLE"), lambda n: n % 97 == 0),
    (Search(text="needle 97"), lambda n: n == 97),
    (Search(text="%"), lambda n: False),
    (Search(since=T0 + 100), lambda n: n >= 100),
    (Search(until=T0 + 100), lambda n: n < 100),
    (Search(since=T0 + 100, until=T0 + 110, agent="a"), lambda n: 100 <= n < 110 and n % 2 == 1),
    (Search(since=T0 + 10_000), lambda n: False),
]


@pytest.mark.parametrize(("which", "fits"), WANTED, ids=[str(n) for n in range(len(WANTED))])
def test_a_search_finds_all_that_fits_the_newest_first(
    filled: Path, which: Search, fits: Callable[[int], bool]
) -> None:
    rows = [row.row - 1 for row in all_pages(filled, which)]
    assert rows == [n for n in reversed(range(COUNT)) if fits(n)]


@pytest.mark.parametrize(("which", "fits"), WANTED, ids=[str(n) for n in range(len(WANTED))])
def test_a_search_that_has_no_time_goes_on_where_it_ended(
    filled: Path, which: Search, fits: Callable[[int], bool]
) -> None:
    """A clock that leaps at each look: one window for each page."""
    ticks = iter(range(10_000_000))
    rows = [row.row - 1 for row in all_pages(filled, which, patience=1.5, clock=lambda: float(next(ticks)))]
    assert rows == [n for n in reversed(range(COUNT)) if fits(n)]


def test_it_says_how_far_back_it_has_looked(filled: Path) -> None:
    ticks = iter(range(10_000_000))
    with open_reader(filled) as pool, pool.connection() as database:
        found = search(database, Search(text="nowhere"), patience=1.5, clock=lambda: float(next(ticks)))
        assert found.rows == []
        assert found.more is not None
        assert found.back_to is not None
        (reached,) = database.execute_sql("SELECT created_at FROM tasks WHERE id = ?", (found.more,)).fetchone()
        assert found.back_to == reached


def test_an_id_or_its_beginning_is_found_at_once(filled: Path) -> None:
    task_id = all_pages(filled, Search(since=T0 + 299, until=T0 + 300))[0].task_id
    assert [row.row for row in all_pages(filled, Search(text=task_id))] == [300]
    assert 300 in [row.row for row in all_pages(filled, Search(text=task_id[:18].upper()))]
    assert [row.row for row in all_pages(filled, Search(text=task_id[-12:]))] == [300]


def test_dead_letters_are_found_by_error_and_by_when_they_died(
    writer: Writer, path: Path, task: Callable[..., NewTask], settled: Callable[..., None]
) -> None:
    for n, error in enumerate(("Disk full", "no route", "disk gone")):
        settled(task("a"), T0 + n * 10, "refused", error)
    assert [row.error_message for row in all_pages(path, Search(status="failed", error="DISK"))] == [
        "disk gone",
        "Disk full",
    ]
    assert len(all_pages(path, Search(status="failed", ended_since=T0 + 5))) == 2
    assert len(all_pages(path, Search(status="failed", agent="nobody"))) == 0


@pytest.fixture
def settled(writer: Writer) -> Callable[..., None]:
    """Has a message stored, claimed and ended like that, all at one time."""

    def settle(new: NewTask, at: float, kind: str, error: str = "") -> None:
        with writer.transaction():
            writer.submit([new], at)
        with writer.transaction():
            (lease,) = singly.claim(writer, new.recipient, "w", 1, at)
            outcome = Outcome(lease.row, lease.fence, kind, at, 5, "null", error)
            singly.settle(writer, "w", new.recipient, [outcome], at, lambda recipient, kind, attempts: None)

    return settle


def test_rows_by_time_are_found_by_halving(filled: Path) -> None:
    with open_reader(filled) as pool, pool.connection() as database:
        assert highest(database) == COUNT
        assert first_since(database, T0 - 5) == 1
        assert first_since(database, T0) == 1
        assert first_since(database, T0 + 0.5) == 2
        assert first_since(database, T0 + COUNT - 1) == COUNT
        assert first_since(database, T0 + COUNT) == COUNT + 1


def test_no_search_sorts_and_every_status_with_an_index_uses_it(filled: Path) -> None:
    """The plans, since times differ from machine to machine."""
    with open_reader(filled) as pool, pool.connection() as database:
        asked: list[str] = []
        database.connection().set_trace_callback(asked.append)
        for which in (Search(), Search(agent="a"), Search(status="failed", agent="a"), Search(text="needle")):
            search(database, which)
        database.connection().set_trace_callback(None)
        plans = {
            statement: " | ".join(row[3] for row in database.execute_sql(f"EXPLAIN QUERY PLAN {statement}"))
            for statement in asked
            if statement.startswith("SELECT")
        }
    assert plans
    for statement, plan in plans.items():
        assert "TEMP B-TREE" not in plan, (statement, plan)
        assert "SCAN tasks" not in plan.replace("SCAN tasks USING COVERING INDEX", ""), (statement, plan)
    assert any("tasks_failed" in plan for plan in plans.values())


def test_a_family_is_shown_level_by_level_up_to_a_bound(
    writer: Writer, path: Path, task: Callable[..., NewTask]
) -> None:
    root = task("a")
    children = [task("a", parent_id=root.task_id, root_id=root.task_id) for _ in range(60)]
    below = [task("a", parent_id=children[0].task_id, root_id=root.task_id) for _ in range(3)]
    with writer.transaction():
        writer.submit([root, *children, *below], T0)
    with open_reader(path) as pool, pool.connection() as database:
        (top,) = search(database, Search(until=T0 + 1, text=root.task_id)).rows
        whole = family(database, top)
        assert (len(whole.children), whole.hidden) == (50, 10)
        assert [node.message.task_id for node in whole.children[0].children] == [new.task_id for new in below]
        few = family(database, top, most=11)
        assert (len(few.children), few.hidden) == (10, 50)
        assert (few.children[0].children, few.children[0].hidden) == ([], 3)


def test_the_standing_counts_what_the_tables_hold(
    writer: Writer, path: Path, task: Callable[..., NewTask], settled: Callable[..., None]
) -> None:
    now = T0 + 1000
    for n in range(4):
        settled(task("a"), now - 30 + n, "done")
    settled(task("b"), now - 20, "refused", "no")
    settled(task("b"), now - 7200, "refused", "long ago")
    with writer.transaction():
        writer.submit([task("a", priority=1), task("a"), task("c", not_before=now + 50)], now - 10)
    with open_reader(path) as pool, pool.connection() as database:
        found = standing(database, now)
    assert found.totals | {"cancelled": 0, "expired": 0} == {
        "queued": 3, "running": 0, "failed": 2, "completed": 4, "cancelled": 0, "expired": 0,
    }  # fmt: skip
    assert {name: (depth.queued, depth.high) for name, depth in found.depths.items()} == {"a": (2, 1), "c": (1, 0)}
    assert found.first.keys() == {"a"}
    assert found.ended_per_minute == 5
    assert found.died_last_hour == 1
    assert found.firing == []
