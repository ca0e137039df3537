"""The broker ends messages: by their time, cancelled, and at the desk for dead letters; and it tells who waits."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.actors.broker import cancels
from squad.actors.broker.rules import Bound, Rules
from squad.actors.protocol import (
    Cancel,
    CancelLease,
    Cancelled,
    Desk,
    DeskDone,
    Evict,
    Ready,
    Released,
    Settle,
    Watch,
    Watched,
)
from squad.errors import QueueFullError, RefusedError
from squad.ids import new_id
from squad.store.rows import DeadFilter, Lease, NewTask, Outcome
from tests.actors.a_storage import Storage, done, retry, task
from tests.store.moved_clock import MovedClock

Sql = Callable[..., list[Any]]


RULES = Rules(retry, {"b": Bound(1, 1), "d": Bound(1, 1, drop=True)}, {"a": 60.0, "hasty": 0.0})


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    made = Storage(tmp_path / "squad.db", RULES)
    yield made
    made.close()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(time.time())


@pytest.fixture
def timed(tmp_path: Path, clock: MovedClock) -> Iterator[Storage]:
    """One for which no time passes but by ``let_pass``."""
    made = Storage(tmp_path / "squad.db", RULES, clock=clock)
    yield made
    made.close()


@pytest.fixture
def sql(storage: Storage) -> Sql:
    return reader(storage)


def reader(storage: Storage) -> Sql:
    def ask(statement: str, *parameters: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{storage.path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, parameters).fetchall()

    return ask


def ready(storage: Storage, agent: str = "a", window: int = 1) -> None:
    storage.put(Ready(agent, f"{agent}.1", window), agent.upper())


def lease(storage: Storage, agent: str = "a", window: int = 1) -> Lease:
    """The next one."""
    seen = len(storage.post.leases(agent.upper()))
    ready(storage, agent, window)
    return storage.post.until(lambda: storage.post.leases(agent.upper())[seen:])[-1]


def let_pass(storage: Storage, seconds: float) -> None:
    """Until the broker, too, knows that so much time has passed."""
    if isinstance(storage.clock, MovedClock):
        storage.clock.advance(seconds)
        for _ in range(2):  # what is said at the end of the first round is said before the second one
            storage.submit(task("nobody"))
        return
    marker = task("nobody", expires_at=time.time() + seconds)
    storage.submit(marker)
    storage.put(Watch(marker.task_id, marker.task_id, tree=False))
    storage.post.until(lambda: Watched(marker.task_id) in storage.post.of("gateway", Watched))


def settle(storage: Storage, outcome: Outcome, agent: str = "a") -> bool:
    seen = len(storage.post.settled(agent.upper()))
    storage.put(Settle(agent, f"{agent}.1", (outcome,)), agent.upper())
    if isinstance(storage.clock, MovedClock):
        let_pass(storage, 1)  # an acknowledgement waits for company
    storage.post.until(lambda: len(storage.post.settled(agent.upper())) > seen)
    return storage.post.settled(agent.upper())[-1][2]


def cancel(storage: Storage, message: NewTask, *, tree: bool = False) -> tuple[int, int]:
    request = new_id()
    storage.put(Cancel(request, message.task_id, tree))
    answer = storage.post.until(
        lambda: next((m for m in storage.post.of("gateway", Cancelled) if m.request == request), None)
    )
    return answer.cancelled, answer.running


def desk(storage: Storage, action: Any, which: Any, **more: Any) -> DeskDone:
    request = new_id()
    storage.put(Desk(request, action, which, **more))
    answer: DeskDone = storage.post.until(
        lambda: next((m for m in storage.post.of("gateway", DeskDone) if m.request == request), None)
    )
    return answer


def status(sql: Sql, message: NewTask) -> str:
    ((found,),) = sql("SELECT status FROM tasks WHERE task_id = ?", message.task_id)
    return str(found)


# -- time ------------------------------------------------------------------------------------------------------------


def test_who_waits_for_a_message_sees_it_expire_though_nothing_else_happens(storage: Storage, sql: Sql) -> None:
    brief = task(expires_at=time.time() + 0.2)
    storage.submit(brief)
    storage.put(Watch("w", brief.task_id, tree=True))
    storage.post.until(lambda: Watched("w") in storage.post.of("gateway", Watched))
    assert time.time() >= (brief.expires_at or 0)
    assert status(sql, brief) == "expired"


def test_one_that_is_over_when_it_comes_is_not_handed_out(storage: Storage, sql: Sql) -> None:
    ready(storage)
    old, new = task(expires_at=time.time() - 1), task()
    storage.submit(old, new)
    assert storage.post.until(lambda: storage.post.leases("A"))[0].task_id == new.task_id
    storage.submit(task("nobody"))
    assert status(sql, old) == "expired"


def test_the_next_to_expire_is_known_after_a_restart(storage: Storage, sql: Sql) -> None:
    brief = task(expires_at=time.time() + 0.3)
    storage.submit(brief)
    storage.close()
    storage.open(alive=None)
    storage.put(Watch("w", brief.task_id, tree=False))
    storage.post.until(lambda: storage.post.of("gateway", Watched))


def test_a_message_that_comes_back_too_late_expires(timed: Storage) -> None:
    brief = task(expires_at=timed.clock.time() + 60)
    timed.submit(brief)
    claimed = lease(timed)
    let_pass(timed, 61)
    assert settle(timed, Outcome(*claimed.claim, "error", error="boom"))
    timed.submit(task("nobody"))
    assert status(reader(timed), brief) == "expired"


def test_a_reply_times_out_by_itself_and_is_handed_over(storage: Storage) -> None:
    ready(storage, "asker")
    asked = task(reply_to="asker", reply_timeout=0.2)
    storage.submit(asked)
    told = json.loads(storage.post.until(lambda: storage.post.leases("ASKER"))[0].payload)
    assert (told["of"], told["status"], told["error"]) == (
        asked.task_id,
        "timed_out",
        "no reply came within 0.2 s",
    )


# -- cancelling ------------------------------------------------------------------------------------------------------


def test_what_waits_ends_at_once_and_who_waits_for_it_hears_of_it(storage: Storage, sql: Sql) -> None:
    message = task()
    storage.submit(message)
    storage.put(Watch("w", message.task_id, tree=False))
    assert cancel(storage, message) == (1, 0)
    storage.post.until(lambda: storage.post.of("gateway", Watched))
    assert status(sql, message) == "cancelled"
    assert cancel(storage, message) == (0, 0)
    ready(storage)
    storage.submit(task("nobody"))
    assert storage.post.leases("A") == []


def test_a_handler_is_told_after_its_lease_was_delivered(storage: Storage, sql: Sql) -> None:
    ready(storage)
    message = task()
    storage.submit(message)
    claimed = storage.post.until(lambda: storage.post.leases("A"))[0]
    assert cancel(storage, message) == (0, 1)
    assert storage.post.of("A", CancelLease) == [CancelLease(*claimed.claim)]
    assert settle(storage, Outcome(*claimed.claim, "error", error="interrupted"))
    assert status(sql, message) == "cancelled"


def test_a_worker_that_may_not_have_heard_is_told_again(storage: Storage) -> None:
    message = task()
    storage.submit(message)
    claimed = lease(storage)
    cancel(storage, message)
    told = CancelLease(*claimed.claim)
    storage.put(Ready("a", "a.1", 1, (claimed.claim,)), "A")
    storage.post.until(lambda: storage.post.of("A", CancelLease) == [told] * 2)
    storage.close()
    storage.open(alive=["a.1"])
    storage.put(Ready("a", "a.1", 1, (claimed.claim,)), "A")
    storage.post.until(lambda: storage.post.of("A", CancelLease) == [told] * 3)
    settle(storage, Outcome(*claimed.claim, "cancelled"))
    ready(storage)
    storage.submit(task("nobody"))
    assert len(storage.post.of("A", CancelLease)) == 3


@pytest.mark.parametrize(("tree", "accepted", "becomes"), [(False, True, "completed"), (True, False, "cancelled")])
def test_a_completion_that_comes_after_the_cancel(
    storage: Storage, sql: Sql, tree: bool, accepted: bool, becomes: str
) -> None:
    message, child = task(), task("c")
    storage.submit(message)
    claimed = lease(storage)
    cancel(storage, message, tree=tree)
    assert settle(storage, done(claimed, sends=(child,))) is accepted
    assert status(sql, message) == becomes
    assert sql("SELECT COUNT(*) FROM tasks WHERE recipient = 'c'") == [(int(accepted),)]


def test_a_tree(storage: Storage, sql: Sql) -> None:
    root = task()
    storage.submit(root)
    claimed = lease(storage)
    children = [task("c") for _ in range(3)]
    settle(storage, done(claimed, sends=tuple(children)))
    running = lease(storage, "c")
    storage.put(Watch("tree", root.task_id, tree=True))
    assert cancel(storage, root, tree=True) == (2, 1)
    assert storage.post.of("gateway", Watched) == []
    settle(storage, done(running, sends=(task("x"),)), "c")
    storage.post.until(lambda: storage.post.of("gateway", Watched))
    assert sql("SELECT status, COUNT(*) FROM tasks GROUP BY status ORDER BY status") == [
        ("cancelled", 3),
        ("completed", 1),
    ]


def test_a_worker_that_goes_on_past_its_grace_is_evicted(
    storage: Storage, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancels, "_SPARE", 0.05)
    monkeypatch.setattr(cancels, "_AGAIN", 0.05)
    message = task("hasty")
    storage.submit(message)
    claimed = lease(storage, "hasty")
    cancel(storage, message)
    storage.post.until(lambda: len(storage.post.of("supervisor", Evict)) >= 2)  # the first may have been lost
    assert storage.post.of("supervisor", Evict)[0].worker == "hasty.1"
    storage.put(Released("hasty.1", claimed.claim, "its process died", charge=False), "supervisor")
    for _ in range(2):  # what was due in the round of the first may be said after its answer
        storage.submit(task("nobody"))
    assert status(sql, message) == "cancelled"
    count = len(storage.post.of("supervisor", Evict))
    let_pass(storage, 0.2)
    assert len(storage.post.of("supervisor", Evict)) == count


@pytest.mark.parametrize("how", ["done", "lost", "restarted", "goes on"])
def test_a_worker_whose_message_has_ended_is_left_alone(
    timed: Storage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    message = task("hasty")
    timed.submit(message)
    claimed = lease(timed, "hasty")
    cancel(timed, message)
    if how == "restarted":
        timed.close()
        timed.open(alive=["hasty.1"])
    if how == "lost":
        monkeypatch.setattr("squad.actors.broker.workers._IN_FLIGHT", -1.0)
        ready(timed, "hasty")
    elif how != "goes on":
        settle(timed, done(claimed), "hasty")
    timed.submit(task("nobody"))  # once this is answered all before it is done
    let_pass(timed, 600)
    assert len(timed.post.of("supervisor", Evict)) == (how == "goes on")


# -- dead letters ----------------------------------------------------------------------------------------------------


def dead(storage: Storage, agent: str = "a") -> NewTask:
    message = task(agent)
    storage.submit(message)
    assert settle(storage, Outcome(*lease(storage, agent).claim, "refused", error="no such file"), agent)
    storage.put(Ready(agent, f"{agent}.1", 0), agent.upper())
    return message


def test_a_replay_is_handed_out_and_can_be_waited_for(storage: Storage, sql: Sql) -> None:
    message = dead(storage)
    assert desk(storage, "replay", (message.task_id,)).ids == (message.task_id,)
    storage.put(Watch("w", message.task_id, tree=True))
    again = lease(storage)
    assert (again.task_id, again.attempt) == (message.task_id, 1)
    assert storage.post.of("gateway", Watched) == []
    settle(storage, done(again))
    storage.post.until(lambda: storage.post.of("gateway", Watched))
    assert status(sql, message) == "completed"


def test_by_filter_and_dry(storage: Storage, sql: Sql) -> None:
    first, second = dead(storage), dead(storage)
    chosen = DeadFilter(agent="a", error="NO SUCH")
    assert desk(storage, "drop", chosen, dry_run=True).ids == (first.task_id, second.task_id)
    assert len(sql("SELECT 1 FROM tasks")) == 2
    assert desk(storage, "drop", chosen).ids == (first.task_id, second.task_id)
    assert sql("SELECT 1 FROM tasks") == []
    assert desk(storage, "drop", chosen).ids == ()


def test_an_edit(storage: Storage) -> None:
    message = dead(storage)
    assert desk(storage, "edit", (message.task_id,), payload='{"n":2}').error is None
    desk(storage, "replay", (message.task_id,))
    assert lease(storage).payload == '{"n":2}'


def test_what_is_no_dead_letter_is_refused(storage: Storage) -> None:
    waits = task()
    storage.submit(waits)
    for action in ("replay", "edit", "drop"):
        error = desk(storage, action, (waits.task_id,)).error
        assert isinstance(error, RefusedError)
        assert str(error.problems[0]) == f"{waits.task_id}: is queued, and so no dead letter"


def test_what_was_for_an_agent_that_is_no_more_is_not_replayed(storage: Storage, sql: Sql) -> None:
    letters = [dead(storage), dead(storage)]
    storage.put(Rules(retry, known=frozenset({"other"})))
    error = desk(storage, "replay", DeadFilter()).error
    assert isinstance(error, RefusedError)
    assert str(error) == "2 of the dead letters are for nobody; nothing is replayed"
    assert str(error.problems[0]) == f"{letters[0].task_id}: no agent or convoy is called 'a' any more"
    assert len(desk(storage, "drop", DeadFilter()).ids) == 2


@pytest.mark.parametrize(("agent", "most"), [("b", 10), ("d", 1)])
def test_a_replay_may_fill_a_mailbox_as_a_handler_may(storage: Storage, sql: Sql, agent: str, most: int) -> None:
    letters = [dead(storage, agent) for _ in range(most + 1)]
    error = desk(storage, "replay", DeadFilter(agent=agent)).error
    assert isinstance(error, QueueFullError)
    assert f"at most {most} may; nothing is replayed" in str(error)
    assert len(desk(storage, "replay", tuple(letter.task_id for letter in letters[:-1])).ids) == most
    assert sql("SELECT COUNT(*) FROM tasks WHERE status = 'queued'") == [(most,)]
