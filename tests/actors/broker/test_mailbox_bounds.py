"""The broker keeps mailboxes to their bounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from squad.actors.broker.rules import Bound, Rules
from squad.actors.protocol import Ready, Record, Settle, Submit, SubmitDone
from squad.store.rows import NewTask
from tests.actors.a_storage import Storage, done, retry, task

BOUNDS = {"a": Bound(4, 3), "b": Bound(4, 3), "d": Bound(3, 2, drop=True), "e": Bound(1, 1, drop=True)}
Sql = Callable[..., list[Any]]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    made = Storage(tmp_path / "squad.db", Rules(retry, BOUNDS))
    yield made
    made.close()


def statuses(sql: Sql, *tasks: NewTask) -> list[str]:
    return [sql("SELECT status FROM tasks WHERE task_id = ?", one.task_id)[0][0] for one in tasks]


def warnings(storage: Storage, sql: Sql) -> list[tuple[str, Any]]:
    storage.submit(task("nobody"))  # a warning is recorded in the round after
    storage.submit(task("nobody"))
    found = sql("SELECT subject, detail FROM events WHERE kind = 'queue_warning' ORDER BY id")
    return [(subject, json.loads(detail)) for subject, detail in found]


def test_a_send_to_a_full_mailbox_is_refused_and_says_what_to_do(storage: Storage, sql: Sql) -> None:
    assert storage.submit(*(task() for _ in range(3))).error == ""
    answer = storage.submit(task(), task())
    assert answer.error == (
        "2 more messages do not fit the mailbox of 'a': 3 messages wait there, and its limit is 4; "
        "none of them is queued"
    )
    assert storage.submit(task()).error == ""
    answer = storage.submit(task())
    assert answer.results == ()
    ((number, refusal),) = answer.refused
    assert (number, refusal.full) == (0, True)
    assert refusal.error == answer.error == ("the mailbox of 'a' is full: 4 messages wait there, and its limit is 4")
    assert refusal.hint == (
        "squad queue shows how many wait; send again when there is room, or raise queue.limit of a in the configuration"
    )
    assert sql("SELECT COUNT(*) FROM tasks") == [(4,)]


def test_a_batch_is_stored_whole_or_not_at_all(storage: Storage, sql: Sql) -> None:
    answer = storage.submit(*(task("b") for _ in range(3)), *(task("a") for _ in range(5)))
    assert "5 more messages do not fit the mailbox of 'a': 0 messages wait there" in answer.error
    assert sql("SELECT COUNT(*) FROM tasks") == [(0,)]


def test_requests_that_come_together_are_judged_one_by_one(storage: Storage, sql: Sql) -> None:
    parts = [[task() for _ in range(count)] for count in (2, 3, 2)]
    rows = tuple(row for part in parts for row in part)
    storage.put(Submit("shared", rows, groups=(2, 3, 2)))
    answer = storage.post.until(lambda: storage.post.of("gateway", SubmitDone))[0]
    assert answer.error == ""
    assert [task_id for task_id, _ in answer.results] == [row.task_id for row in (*parts[0], *parts[2])]
    assert [number for number, _ in answer.refused] == [1]
    assert sql("SELECT COUNT(*) FROM tasks") == [(4,)]


def test_one_bad_request_among_them_is_refused_for_itself(storage: Storage, sql: Sql) -> None:
    good, bad = task(), task(priority=99)
    storage.put(Submit("shared", (bad, good), groups=(1, 1), put=(("k", "1"),)))
    answer = storage.post.until(lambda: storage.post.of("gateway", SubmitDone))[0]
    ((number, refusal),) = answer.refused
    assert (number, refusal.full, answer.results) == (0, False, ((good.task_id, False),))
    assert bad.task_id in refusal.error
    assert storage.writer.get("k") == "1"
    storage.put(Submit("alone", (task(priority=99),), put=(("k", "2"),)))
    storage.post.until(lambda: len(storage.post.of("gateway", SubmitDone)) == 2)
    assert storage.writer.get("k") == "1"


def test_what_is_stored_already_needs_no_room(storage: Storage) -> None:
    rows = [task(key="first"), *(task() for _ in range(3))]
    storage.submit(*rows)
    assert storage.submit(*rows).results == tuple((row.task_id, True) for row in rows)
    assert storage.submit(task(key="first")).results == ((rows[0].task_id, True),)


def test_the_bound_holds_over_a_restart_and_counts_what_waits_for_its_time(storage: Storage) -> None:
    storage.submit(*(task(not_before=4e9) for _ in range(4)))
    storage.close()
    storage.open(alive=None)
    assert "is full" in storage.submit(task()).error


def test_what_is_claimed_makes_room(storage: Storage) -> None:
    storage.submit(*(task() for _ in range(4)))
    storage.put(Ready("a", "a.1", 3), "A")
    storage.post.until(lambda: len(storage.post.leases("A")) == 3)
    assert storage.submit(*(task() for _ in range(3))).error == ""
    assert "is full" in storage.submit(task()).error


def test_new_rules_hold_from_now_on(storage: Storage) -> None:
    storage.submit(*(task() for _ in range(4)))
    storage.put(Rules(retry, {"a": Bound(5, 4)}))
    storage.submit(task("nobody"))
    assert storage.submit(task()).error == ""
    assert "its limit is 5" in storage.submit(task()).error


def test_handlers_may_go_ten_times_over(storage: Storage, sql: Sql) -> None:
    storage.put(Ready("w", "w.1", 2), "W")
    storage.submit(task("w"), task("w"))
    first, second = storage.post.until(lambda: len(storage.post.leases("W")) == 2 and storage.post.leases("W"))
    storage.put(Settle("w", "w.1", (done(first, sends=tuple(task() for _ in range(40))),)), "W")
    storage.put(Settle("w", "w.1", (done(second, sends=(task(),)),)), "W")
    storage.post.until(lambda: len(storage.post.settled("W")) == 2)
    assert sql("SELECT COUNT(*) FROM tasks WHERE recipient = 'a'") == [(40,)]
    ((error,),) = sql("SELECT error FROM attempts")
    assert error.startswith("QueueFullError: 1 more to 'a' would be too many: 40 wait there")
    assert warnings(storage, sql) == [("a", {"queued": 40, "limit": 4, "mark": "full"})]


def test_a_warning_is_recorded_once_for_each_time_that_it_fills_up(storage: Storage, sql: Sql) -> None:
    storage.submit(task(), task())
    assert warnings(storage, sql) == []
    storage.submit(task())
    storage.submit(task())
    expected = [("a", {"queued": 3, "limit": 4, "mark": "warning"}), ("a", {"queued": 4, "limit": 4, "mark": "full"})]
    assert warnings(storage, sql) == expected
    storage.close()
    storage.open(alive=None)
    storage.put(Ready("a", "a.1", 1), "A")
    (lease,) = storage.post.until(lambda: storage.post.leases("A"))
    storage.submit(task())  # from 3 to 4 again: it was never well below
    assert warnings(storage, sql) == expected
    storage.put(Ready("a", "a.1", 4, (lease.claim,)), "A")
    storage.post.until(lambda: len(storage.post.leases("A")) == 4)
    storage.submit(task(), task())
    assert warnings(storage, sql) == [*expected, expected[0]]


def test_where_the_oldest_are_dropped_nothing_is_refused_and_nothing_goes_silently(storage: Storage, sql: Sql) -> None:
    rows = [task("d", priority=10 - number) for number in range(5)]
    for row in rows:
        assert storage.submit(row).error == ""
    assert statuses(sql, *rows) == ["expired"] * 2 + ["queued"] * 3
    assert set(sql("SELECT error_message, completed_at IS NULL FROM tasks WHERE status = 'expired'")) == {
        ("dropped from a full mailbox: 3 newer messages wait for d", 0)
    }
    batch = [task("d") for _ in range(5)]
    assert len(storage.submit(*batch).results) == 5
    assert statuses(sql, *rows[2:], *batch) == ["expired"] * 5 + ["queued"] * 3


def test_what_can_be_handed_out_at_once_is_not_dropped(storage: Storage, sql: Sql) -> None:
    storage.put(Ready("d", "d.1", 2), "D")
    storage.submit(*(task("d") for _ in range(5)))
    assert len(storage.post.until(lambda: storage.post.leases("D"))) == 2
    assert sql("SELECT COUNT(*) FROM tasks WHERE status = 'expired'") == [(0,)]


def test_whoever_asked_for_a_reply_hears_of_a_drop_at_once(storage: Storage) -> None:
    storage.put(Ready("asker", "asker.1", 1), "A")
    asked = task("e", reply_to="asker")
    storage.submit(asked)
    storage.submit(task("e"))
    (lease,) = storage.post.until(lambda: storage.post.leases("A"))
    told = json.loads(lease.payload)
    assert (lease.type, told["of"], told["status"]) == ("squad.reply", asked.task_id, "expired")


def test_replies_to_oneself_do_not_go_round_and_round(storage: Storage, sql: Sql) -> None:
    for _ in range(3):
        storage.submit(task("e", reply_to="e"))
    assert storage.writer.depths == {"e": 1}
    assert dict(sql("SELECT status, COUNT(*) FROM tasks GROUP BY status")).keys() == {"expired", "queued"}


def test_handlers_push_out_the_oldest_too(storage: Storage, sql: Sql) -> None:
    storage.put(Ready("w", "w.1", 1), "W")
    storage.submit(task("w"))
    (lease,) = storage.post.until(lambda: storage.post.leases("W"))
    storage.put(Settle("w", "w.1", (done(lease, sends=tuple(task("d") for _ in range(50))),)), "W")
    storage.post.until(lambda: storage.post.settled("W"))
    assert storage.writer.depths == {"d": 3}
    assert sql("SELECT COUNT(*) FROM tasks WHERE status = 'expired'") == [(47,)]


def test_a_bug_in_the_writers_thread_does_not_pass_unseen(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "squad.db")
    storage.put(Record(events=("no event",)))  # type: ignore[arg-type]
    storage.post.until(lambda: storage.post.sent["crashed"])
    assert storage.broker is not None
    storage.broker.join(10)
    assert not storage.broker.is_alive()
    storage.writer.close()
