"""Dead letters: chosen, replayed, edited, dropped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from squad.errors import QueueFullError, RefusedError
from squad.store.rows import DeadFilter, NewTask, Outcome
from squad.store.writer import Settlement, Writer
from tests.store import singly

NOW = 1_800_000_000.0
Make = Callable[..., NewTask]
Sql = Callable[..., list[Any]]


def policy(recipient: str, kind: str, attempts: int) -> float | None:
    return None if attempts >= 2 else 0.0


def fail(writer: Writer, recipient: str, error: str = "boom", now: float = NOW) -> None:
    """Every message that waits for ``recipient`` becomes a dead letter after two attempts."""
    for _ in range(2):
        with writer.transaction():
            outcomes = [
                Outcome(lease.row, lease.fence, "error", now, 5, error=error)
                for lease in singly.claim(writer, recipient, f"{recipient}/1", 100, now)
            ]
            singly.settle(writer, f"{recipient}/1", recipient, outcomes, now, policy)


@pytest.fixture
def letters(writer: Writer, task: Make) -> dict[str, NewTask]:
    """Four dead letters, and one message that waits."""
    made = {
        "a1": task("a", type="t1"),
        "a2": task("a", type="t2", reply_to="asker", reply_timeout=30.0, expires_at=NOW + 100),
        "b1": task("b", type="t1"),
        "b2": task("b", type="t1"),
        "waits": task("c"),
    }
    for names, recipient, error, now in (
        (("a1", "a2"), "a", "ValueError: 100% wrong", NOW),
        (("b1",), "b", "No such FILE", NOW + 10),
        (("b2",), "b", "no such host", NOW + 20),
    ):
        with writer.transaction():
            writer.submit([made[name] for name in names], NOW)
        fail(writer, recipient, error, now)
    with writer.transaction():
        writer.submit([made["waits"]], NOW)
    return made


def replay(writer: Writer, *names: str, now: float = NOW + 60, most: int | None = None) -> Settlement:
    with writer.transaction():
        return writer.replay(writer.dead(names), lambda recipient: most, now)


@pytest.mark.parametrize(
    ("which", "names"),
    [
        (DeadFilter(), ["a1", "a2", "b1", "b2"]),
        (DeadFilter(agent="a"), ["a1", "a2"]),
        (DeadFilter(type="t1"), ["a1", "b1", "b2"]),
        (DeadFilter(since=NOW + 10), ["b1", "b2"]),
        (DeadFilter(error="NO SUCH"), ["b1", "b2"]),
        (DeadFilter(error="%"), ["a1", "a2"]),
        (DeadFilter(agent="b", type="t1", since=NOW + 20, error="host"), ["b2"]),
        (DeadFilter(agent="c"), []),
    ],
)
def test_a_filter(writer: Writer, letters: dict[str, NewTask], which: DeadFilter, names: list[str]) -> None:
    assert [letter.task_id for letter in writer.dead(which)] == [letters[name].task_id for name in names]


def test_what_is_no_dead_letter_is_named_and_nothing_happens(writer: Writer, letters: dict[str, NewTask]) -> None:
    with pytest.raises(RefusedError) as caught:
        replay(writer, letters["a1"].task_id, letters["waits"].task_id, "nobody")
    assert str(caught.value) == "2 of the messages are not among the dead letters; nothing is changed"
    assert [str(problem) for problem in caught.value.problems] == [
        f"{letters['waits'].task_id}: is queued, and so no dead letter",
        "nobody: there is no such message",
    ]
    assert len(writer.dead(DeadFilter())) == 4


def test_a_replay_begins_anew_and_keeps_the_history(writer: Writer, letters: dict[str, NewTask], sql: Sql) -> None:
    one = letters["a1"]
    assert writer.tree_ended(one.task_id)
    assert replay(writer, one.task_id, one.task_id) == Settlement(woken={"a"}, next_due=NOW + 60)
    assert not writer.tree_ended(one.task_id)
    assert writer.depths == {"a": 1, "asker": 1, "c": 1}
    assert sql("SELECT status, attempts, completed_at, started_at, error_message FROM tasks WHERE id = 1") == [
        ("queued", 0, None, None, "ValueError: 100% wrong")
    ]
    with writer.transaction():
        (lease,) = singly.claim(writer, "a", "a/1", 9, NOW)
        singly.settle(writer, "a/1", "a", [Outcome(lease.row, lease.fence, "error", NOW, error="again")], NOW, policy)
    assert lease.attempt == 1
    assert sql("SELECT number, error, final FROM attempts WHERE task_row = 1 ORDER BY id") == [
        (1, "ValueError: 100% wrong", 0),
        (2, "ValueError: 100% wrong", 1),
        (3, "again", 0),
    ]
    assert sql("SELECT kind, subject, detail FROM events") == [
        ("replayed", one.task_id, json.dumps({"agent": "a", "type": "t1"}))
    ]


def test_a_replay_does_not_expire_and_is_replied_to_once_more(
    writer: Writer, letters: dict[str, NewTask], sql: Sql
) -> None:
    one = letters["a2"].task_id
    with writer.transaction():
        writer.due(NOW + 150)
    replay(writer, one, now=NOW + 200)
    assert sql("SELECT expires_at, reply_due FROM tasks WHERE task_id = ?", one) == [(None, NOW + 230)]
    with writer.transaction():
        (lease,) = singly.claim(writer, "a", "a/1", 9, NOW + 200)
        singly.settle(writer, "a/1", "a", [Outcome(lease.row, lease.fence, "done", result="1")], NOW + 201, policy)
    told = sql("SELECT payload FROM tasks WHERE type = 'squad.reply' ORDER BY id")
    assert [json.loads(payload)["status"] for (payload,) in told] == ["failed", "completed"]


def test_a_replay_that_does_not_fit_changes_nothing(writer: Writer, letters: dict[str, NewTask], task: Make) -> None:
    with writer.transaction():
        writer.submit([task("b") for _ in range(3)], NOW)
    with pytest.raises(QueueFullError, match="2 dead letters do not fit the mailbox of 'b': 3 messages wait there"):
        replay(writer, *(letters[name].task_id for name in ("a1", "b1", "b2")), most=4)
    assert len(writer.dead(DeadFilter())) == 4
    assert writer.depths["b"] == 3
    replay(writer, *(letters[name].task_id for name in ("a1", "b1", "b2")), most=5)


def test_an_edit(writer: Writer, letters: dict[str, NewTask], sql: Sql) -> None:
    with writer.transaction():
        (letter,) = writer.dead([letters["b1"].task_id])
        writer.edit(letter, '{"path":"/there"}', NOW)
    assert sql("SELECT payload, status FROM tasks WHERE task_id = ?", letter.task_id) == [
        ('{"path":"/there"}', "failed")
    ]
    assert sql("SELECT kind, subject FROM events") == [("edited", letter.task_id)]


def test_a_drop_leaves_an_event_and_nothing_else(writer: Writer, letters: dict[str, NewTask], sql: Sql) -> None:
    with writer.transaction():
        writer.drop(writer.dead(DeadFilter(agent="b")), NOW)
    assert sql("SELECT task_id FROM tasks WHERE recipient = 'b'") == []
    assert sql("SELECT DISTINCT task_row FROM attempts") == [(1,), (2,)]
    detail = {"agent": "b", "type": "t1", "error": "No such FILE"}
    assert sql("SELECT kind, subject, detail FROM events ORDER BY id LIMIT 1") == [
        ("dropped", letters["b1"].task_id, json.dumps(detail))
    ]
    assert not writer.ended(letters["b1"].task_id)
