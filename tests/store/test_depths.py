"""How many messages wait for whom: counted along, and always what a count of the rows would say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.config.schema import StoreConfig
from squad.errors import StoreError
from squad.store.rows import NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

NOW = 1_800_000_000.0
Make = Callable[..., NewTask]
Sql = Callable[..., list[Any]]


def policy(recipient: str, kind: str, attempts: int) -> float | None:
    return 0.0 if attempts < 2 else None


def counted(sql: Sql) -> dict[str, int]:
    kept = sql("SELECT recipient, priority, delayed, messages FROM queued WHERE messages != 0 ORDER BY 1, 2, 3")
    assert kept == sql(
        "SELECT recipient, priority, not_before IS NOT NULL, COUNT(*) FROM tasks WHERE status = 'queued'"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return dict(sql("SELECT agent, queued_tasks FROM queue_depth"))


def test_duplicates_are_not_counted(writer: Writer, task: Make, sql: Sql) -> None:
    one, keyed = task("a"), task("a", key="k")
    with writer.transaction():
        writer.submit([one, keyed], NOW)
        writer.submit([task("a", key="k"), one, task("b"), task("b", key="k"), task("b", key="k")], NOW)
        assert writer.depth("b") == 2
        assert writer.changed == {"a": 2, "b": 2}
    assert writer.changed == {}
    assert writer.depths == counted(sql) == {"a": 2, "b": 2}


def test_what_is_undone_is_not_counted(writer: Writer, task: Make, sql: Sql) -> None:
    with writer.transaction():
        writer.submit([task("a")], NOW)
        with pytest.raises(StoreError):
            writer.submit([task("a"), task("a", priority=11)], NOW)
        with pytest.raises(KeyError), writer.savepoint():
            writer.submit([task("a"), task("b")], NOW)
            raise KeyError
        assert (writer.depth("a"), writer.depth("b")) == (1, 0)
    with pytest.raises(KeyError), writer.transaction():
        writer.submit([task("a")], NOW)
        raise KeyError
    assert writer.depths == counted(sql) == {"a": 1}


def test_what_comes_and_is_handed_out_at_once_is_not_written(writer: Writer, task: Make, sql: Sql) -> None:
    with writer.transaction():
        writer.submit([task("a"), task("b")], NOW)
        singly.claim(writer, "a", "a/1", 1, NOW)
    assert sql("SELECT recipient, priority, delayed, messages FROM queued") == [("b", 5, 0, 1)]
    with writer.transaction():
        singly.claim(writer, "b", "b/1", 1, NOW)
    assert counted(sql) == writer.depths == {}


def test_a_restart_knows_the_depths(writer: Writer, task: Make, path: Path, config: StoreConfig) -> None:
    with writer.transaction():
        writer.submit([task("a"), task("a", not_before=NOW + 9), task("b"), task("c")], NOW)
        singly.claim(writer, "b", "b/1", 1, NOW)
    assert writer.depth("nobody") == 0
    writer.close()
    with closing(Writer(path, config)) as again:
        assert again.depths == {"a": 2, "c": 1}


def test_a_handler_may_send_up_to_the_ceiling(writer: Writer, task: Make, sql: Sql) -> None:
    with writer.transaction():
        writer.submit([task("b") for _ in range(3)] + [task("a") for _ in range(4)], NOW)
        leases = singly.claim(writer, "a", "a/1", 4, NOW)
        outcomes = [
            Outcome(lease.row, lease.fence, "done", NOW, sends=tuple(task(to) for to in sends), state=state)
            for lease, sends, state in zip(leases, ("bb", "bbc", "b", "b"), (None, None, None, "{}"), strict=True)
        ]
        done = singly.settle(writer, "a/1", "a", outcomes, NOW, policy, {"b": 6, "c": None}.get)
        assert done.accepted == [True, True, True, False]  # the last one's worker has a state that is not stored
        assert [status for _, _, status in done.ended] == ["completed", "completed"]
    assert writer.depths == counted(sql) == {"a": 2, "b": 6}
    ((error,),) = set(sql("SELECT error FROM attempts WHERE task_row = 5"))
    assert error == (
        "QueueFullError: 2 more to 'b' would be too many: 5 wait there, and what handlers send is taken up to 6, "
        "ten times its queue.limit"
    )
    assert sql("SELECT task_row FROM attempts") == [(5,), (7,)]
    assert done.woken == {"a", "b"}
