"""Records of an author: each once and in order, whatever is lost or said again on the way."""

from __future__ import annotations

from functools import partial

from squad.actors.agents.blackbox import Hand
from squad.actors.protocol import Record, RecordDone, Released
from squad.actors.supervision.children import Child, ChildSpec
from squad.actors.supervision.journal import Journal, Notice
from squad.actors.supervision.restarts import budget_of
from squad.config.supervision import RestartConfig
from squad.events import BY_HAND, event
from tests.actors.a_storage import Storage


class Author:
    """A supervisor's journal; what it says is kept."""

    def __init__(self) -> None:
        self.said: list[Record | Released] = []
        self.child = Child(ChildSpec("storage", "storage"), budget_of(RestartConfig()), state="ready")
        self.child.pid = 1
        self.journal = Journal(lambda address, message: self.said.append(message), lambda: self.child)

    def take(self) -> list[Record | Released]:
        said, self.said = self.said, []
        return said


def restarted(name: str) -> Record:
    return Record((event("restarted", name, reason="it died"),))


def recorded(storage: Storage) -> list[str]:
    storage.close()
    storage.open(alive=[])
    rows = storage.writer._connection.execute("SELECT subject FROM events ORDER BY id").fetchall()
    return [row[0] for row in rows]


def answers(storage: Storage, number: int) -> list[int]:
    return storage.post.until(
        lambda: (n := [m.number for m in storage.post.of("s", RecordDone)]) and len(n) >= number and n
    )


def test_what_is_said_twice_is_written_once(storage: Storage) -> None:
    author = Author()
    author.journal.record(restarted("a"))
    (record,) = author.take()
    for _ in range(2):
        storage.put(record, "s")
    assert answers(storage, 2) == [1, 1]
    storage.close()
    storage.open(alive=[])
    storage.put(record, "s")
    assert answers(storage, 3) == [1, 1, 1]
    assert recorded(storage) == ["a"]


def test_a_restart_by_hand_is_an_event_and_no_failure_that_metrics_count(storage: Storage) -> None:
    storage.put(Record((event("restarted", "a", reason=BY_HAND, cause=None),)))
    storage.put(restarted("a"))
    assert recorded(storage) == ["a", "a"]
    rows = storage.writer._connection.execute("SELECT sum FROM metric_series WHERE name = 'restarts'").fetchall()
    assert rows == [(1,)]


def test_what_was_lost_is_said_again_and_the_order_stays(storage: Storage) -> None:
    author = Author()
    for name in "abc":
        author.journal.record(restarted(name))
    first, _lost, third = author.take()
    storage.put(first, "s")
    storage.put(third, "s")  # its predecessor has not come: it is left, and not answered
    for number in answers(storage, 1):
        author.journal.recorded(number)
    author.journal.served()
    for record in author.take():
        storage.put(record, "s")
    assert answers(storage, 3) == [1, 2, 3]
    assert recorded(storage) == ["a", "b", "c"]


def test_another_author_begins_anew(storage: Storage) -> None:
    for name in "ab":
        author = Author()
        author.journal.record(restarted(name))
        storage.put(*author.take(), "s")
    assert answers(storage, 2) == [1, 1]
    assert recorded(storage) == ["a", "b"]


def test_one_without_an_author_is_written_and_not_answered(storage: Storage) -> None:
    storage.put(restarted("a"), "s")
    assert recorded(storage) == ["a"]
    assert storage.post.of("s", RecordDone) == []


def test_nothing_is_said_to_a_storage_that_is_down_and_everything_once_it_serves() -> None:
    author = Author()
    author.child.become("restarting")
    author.journal.release("a.1", Hand(1, 2, 0.0, "id", "t"), "it died", charge=True)
    author.journal.record(restarted("a"))
    assert author.take() == []
    author.child.become("ready")
    author.journal.served()
    release, record = author.take()
    assert release == Released("a.1", (1, 2), "it died", True, "crash")
    author.journal.released("a.1")
    author.journal.served()
    assert author.take() == [record]
    author.journal.recorded(1)
    author.journal.served()
    assert author.take() == []


def test_a_quarantine_that_two_supervisors_tell_is_one_message(storage: Storage) -> None:
    """The first one died before it had the answer."""
    stored: list[str] = []
    for number, name in enumerate(("first", "second"), 1):
        author = Author()
        author.journal.quarantined(Notice("a", "it died", None, 1000.5), "pager", partial(stored.append, name))
        (record,) = author.take()
        storage.put(record, "s")
        assert answers(storage, number) == [1] * number
        author.journal.recorded(1)
    assert stored == ["first", "second"]
    storage.close()
    storage.open(alive=[])
    (count,) = storage.writer._connection.execute("SELECT COUNT(*) FROM tasks WHERE recipient = 'pager'").fetchone()
    assert count == 1
