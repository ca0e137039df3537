from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from squad.actors.gateway import bridge as module
from squad.actors.gateway.bridge import SilenceError
from squad.actors.protocol import Cancel, Cancelled, Inspect, Submit, SubmitDone, Tree, Unwatch, Watch
from squad.errors import QueueFullError, StoreError
from squad.ids import new_id
from squad.store.rows import NewTask, Submitted
from tests.actors.gateway.stand_ins import StandIn


@pytest.fixture
def inside() -> Iterator[StandIn]:
    made = StandIn()
    yield made
    made.stop()


def rows(count: int, payload: str = "{}") -> list[NewTask]:
    return [NewTask(new_id(), "cli", "scanner", "scan", payload) for _ in range(count)]


def run(inside: StandIn, body: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        inside.bridge.open()
        return await body()

    return asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def forever() -> None:
    await asyncio.Event().wait()


def submits(inside: StandIn) -> list[Submit]:
    return [msg for msg in inside.said if isinstance(msg, Submit)]


def together(inside: StandIn, *sends: list[NewTask]) -> Any:
    """What comes of sends that reach the actor side at the same time."""

    async def body() -> Any:
        held, free = threading.Event(), threading.Event()

        def hold() -> None:
            held.set()
            assert free.wait(30)

        inside.post(hold)
        assert held.wait(30)  # else the actor side may be at what was posted before, and take some of the sends
        waiting = [asyncio.ensure_future(inside.bridge.submit(send)) for send in sends]
        await asyncio.sleep(0)  # all have begun
        free.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    return run(inside, body)


def test_a_request_is_one_packet_however_large_it_is(inside: StandIn) -> None:
    many = rows(2500, "x" * 3000)
    done = run(inside, lambda: inside.bridge.submit(many))
    assert done == [Submitted(task.task_id, False) for task in many]
    assert [(len(msg.rows), msg.groups) for msg in submits(inside)] == [(2500, (2500,))]


def test_packets_that_requests_share_are_bounded(inside: StandIn) -> None:
    together(inside, *(rows(400) for _ in range(3)), *(rows(1, "x" * 3_000_000) for _ in range(2)))
    assert [msg.groups for msg in submits(inside)] == [(400, 400), (400, 1), (1,)]


def test_a_request_that_is_refused_does_no_harm_to_the_others(inside: StandIn) -> None:
    inside.full.add("scanner")
    other = [row._replace(recipient="checker") for row in rows(2)]
    first, second, third = together(inside, rows(3), other, rows(1))
    assert second == [Submitted(row.task_id, False) for row in other]
    for error in (first, third):
        assert isinstance(error, QueueFullError)
        assert (error.message, error.hint) == ("the mailbox is full", "wait")
    assert first is not third
    (all_refused,) = together(inside, rows(1))
    assert isinstance(all_refused, QueueFullError)


@pytest.mark.parametrize("again", [True, False])
def test_the_storage_is_asked_again_only_where_that_does_no_harm(inside: StandIn, again: bool) -> None:
    def asks() -> list[Cancel]:
        return [msg for msg in inside.said if isinstance(msg, Cancel)]

    async def body() -> Any:
        inside.silent.add("old")
        await settled(inside, lambda: inside.bridge.storage_at("old"))
        asking = asyncio.ensure_future(
            inside.bridge.ask_storage(lambda number: Cancel(number, "m", False), again=again)
        )
        await until(asks)
        await settled(inside, lambda: inside.bridge.storage_at("storage"))
        if again:
            return await asking
        asking.cancel()
        await asyncio.wait([asking])
        return None

    answer = run(inside, body)
    assert len(asks()) == (2 if again else 1)
    if again:
        assert answer == Cancelled(asks()[0].request, 2, 1)


def test_a_storage_that_does_not_say_whether_it_was_done(inside: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBMIT_LIMIT", 0.05)
    inside.silent.add("storage")
    with pytest.raises(SilenceError, match="it is not known whether it was done"):
        run(inside, lambda: inside.bridge.ask_storage(lambda number: Cancel(number, "m", False), again=True))


def test_requests_that_come_together_share_a_packet_and_each_gets_its_own(inside: StandIn) -> None:
    sends = [rows(count) for count in (1, 2, 3) * 10]
    done = together(inside, *sends)
    assert [[task_id for task_id, _ in part] for part in done] == [[task.task_id for task in send] for send in sends]
    assert len(submits(inside)) == 1


def test_an_error_of_the_store_reaches_every_request(inside: StandIn) -> None:
    inside.error = "the database cannot grow: the disk is full"

    async def body() -> Any:
        return await asyncio.gather(*(inside.bridge.submit(rows(1)) for _ in range(3)), return_exceptions=True)

    errors = run(inside, body)
    assert [str(error) for error in errors] == [inside.error] * 3
    assert all(isinstance(error, StoreError) for error in errors)
    assert len({id(error) for error in errors}) == 3


def test_a_new_storage_hears_again_what_the_old_one_did_not_answer(inside: StandIn) -> None:
    inside.silent.add("old")
    many = rows(3)

    async def body() -> Any:
        await settled(inside, lambda: inside.bridge.storage_at("old"))
        waiting = asyncio.ensure_future(inside.bridge.submit(many))
        watching = asyncio.ensure_future(inside.bridge.ended(many[0].task_id, False, 10, forever))
        await until(lambda: submits(inside) and any(isinstance(msg, Watch) for msg in inside.said))
        assert not waiting.done() and not watching.done()
        inside.ended.add(many[0].task_id)
        inside.post(lambda: inside.bridge.storage_at("new"))
        return await waiting, await watching

    done, ended = run(inside, body)
    assert [task_id for task_id, _ in done] == [task.task_id for task in many]
    assert ended is True
    first, second = submits(inside)
    assert first == second
    assert list(inside.stored) == [task.task_id for task in many]


def test_what_comes_before_the_storage_waits_for_it() -> None:
    calls: list[Callable[[], None]] = []
    told: list[tuple[Any, Any]] = []
    bridge = module.Bridge(calls.append, lambda address, msg: told.append((address, msg)))

    async def body() -> list[Submitted]:
        bridge.open()
        waiting = asyncio.ensure_future(bridge.submit(rows(1)))
        await asyncio.sleep(0)
        while calls:
            calls.pop(0)()
        assert told == [] and not bridge.quiet
        bridge.storage_at("there")
        ((address, msg),) = told
        assert address == "there"
        results = tuple(Submitted(task.task_id, False) for task in msg.rows)
        bridge.submit_done(SubmitDone(msg.request, results))
        bridge.submit_done(SubmitDone(msg.request, results))  # an answer may come twice
        assert bridge.quiet
        return await waiting

    assert len(asyncio.run(body())) == 1


def test_a_storage_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBMIT_LIMIT", 0.05)
    told: list[Any] = []
    bridge = module.Bridge(lambda call: call(), lambda address, msg: told.append(msg))  # it is told before the limit
    bridge.storage_at("storage")

    async def body() -> None:
        bridge.open()
        with pytest.raises(SilenceError, match=r"did not confirm within 0\.05 s") as caught:
            await bridge.submit(rows(1))
        assert "same id" in caught.value.hint

    asyncio.run(body())
    # Nobody waits for it any more, so it is not said again.
    bridge.storage_at("new")
    assert [type(msg) for msg in told] == [Submit]
    assert bridge.quiet


async def settled(inside: StandIn, call: Callable[[], None]) -> None:
    """``call`` was run on the actor's thread."""
    done = threading.Event()
    inside.post(call)
    inside.post(done.set)
    await until(done.is_set)


def test_what_was_given_up_before_it_was_sent_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBMIT_LIMIT", 0.02)
    told: list[Any] = []
    bridge = module.Bridge(lambda call: call(), lambda address, msg: told.append(msg))

    async def body() -> None:
        bridge.open()
        with pytest.raises(SilenceError):
            await bridge.submit(rows(1))

    asyncio.run(body())
    bridge.storage_at("late")
    assert told == [] and bridge.quiet


def test_a_wait_ends_with_the_message_the_time_or_the_client(inside: StandIn) -> None:
    task_id = new_id()

    async def body() -> None:
        assert await inside.bridge.ended(task_id, True, 0.02, forever) is False
        left = asyncio.Event()
        waiting = asyncio.ensure_future(inside.bridge.ended(task_id, True, 10, left.wait))
        await until(lambda: inside.watches)
        left.set()
        assert await waiting is False
        await until(lambda: not inside.watches)
        waiting = asyncio.ensure_future(inside.bridge.ended(task_id, True, 10, forever))
        await until(lambda: inside.watches)
        inside.end(task_id)
        assert await waiting is True

    run(inside, body)
    watches = [msg for msg in inside.said if isinstance(msg, Watch)]
    assert [(watch.task_id, watch.tree) for watch in watches] == [(task_id, True)] * 3
    assert len({watch.request for watch in watches}) == 3
    # The third was answered, and needs no end.
    assert [msg.request for msg in inside.said if isinstance(msg, Unwatch)] == [watch.request for watch in watches[:2]]


def test_lost_packets_are_repeated(inside: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPEAT_AFTER", 0.0)
    inside.silent.add("storage")
    (task,) = rows(1)

    async def body() -> None:
        sending = asyncio.ensure_future(inside.bridge.submit([task]))
        waiting = asyncio.ensure_future(inside.bridge.ended(task.task_id, False, 10, forever))
        await until(lambda: len(inside.said) == 2)
        inside.silent.clear()
        inside.ended.add(task.task_id)
        inside.post(inside.bridge.repeat)
        assert await waiting
        assert await sending == [Submitted(task.task_id, False)]

    run(inside, body)


def test_nothing_young_is_repeated(inside: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPEAT_AFTER", 600.0)
    inside.silent.add("storage")

    async def body() -> None:
        waiting = asyncio.ensure_future(inside.bridge.ended(new_id(), False, 10, forever))
        await until(lambda: inside.said)
        await settled(inside, inside.bridge.repeat)
        waiting.cancel()
        await asyncio.wait([waiting])

    run(inside, body)
    assert len([msg for msg in inside.said if isinstance(msg, Watch)]) == 1


def test_the_supervisor_is_asked_once_and_for_a_limited_time(inside: StandIn) -> None:
    tree = run(inside, lambda: inside.bridge.ask("supervisor", Inspect, 10))
    assert isinstance(tree, Tree)
    inside.silent.add("supervisor")
    with pytest.raises(SilenceError, match=r"the supervisor did not answer within 0\.02 s"):
        run(inside, lambda: inside.bridge.ask("supervisor", Inspect, 0.02))


def test_an_echo_goes_through_both_threads(inside: StandIn) -> None:
    where: list[int] = []
    inside.post(lambda: inside.bridge.echo(lambda: where.append(threading.get_ident())))

    async def body() -> None:
        inside.bridge.echo(lambda: where.append(threading.get_ident()))
        await until(lambda: len(where) == 2)

    run(inside, body)
    assert set(where) == {inside._thread.ident}
