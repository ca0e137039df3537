"""Sending, against targets that behave in every way."""

from __future__ import annotations

import pickle
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from squad.actors.transport import lanes as module
from squad.actors.transport.inbox import Inbox
from squad.actors.transport.lanes import TAKEN, Fate, Lanes
from tests.actors.transport.watching import read_all
from tests.running import eventually

Listen = Callable[..., socket.socket]


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    lanes = Lanes()
    yield lanes
    lanes.close()


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Listen]:
    """Make a target that only listens: as a process that is stopped, or busy."""
    sockets = []

    def make(name: str, backlog: int = 100) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(5)
        listener.bind(str(tmp_path / name))
        listener.listen(backlog)
        sockets.append(listener)
        return listener

    yield make
    for each in sockets:
        each.close()


def run(lanes: Lanes, until: Callable[[], object], *boxes: Inbox) -> None:
    """The loop of an owner."""

    def once() -> object:
        poll = select.poll()
        for descriptor, events in lanes.descriptors():
            poll.register(descriptor, events)
        for descriptor, _events in poll.poll(0):
            lanes.advance(descriptor)
        lanes.attend()
        for box in boxes:
            read_all(box)
        return until()

    eventually(once, "what the lanes were run for")


def test_messages_arrive_in_order(lanes: Lanes, tmp_path: Path) -> None:
    box = Inbox(str(tmp_path / "box"))
    for number in range(50):
        lanes.add(str(tmp_path / "box"), pickle.dumps(number), number)

    run(lanes, lambda: len(lanes.finished) == 50, box)

    assert list(box.messages) == list(range(50))
    assert list(lanes.finished) == [(number, Fate.TAKEN) for number in range(50)]
    assert not lanes
    assert lanes.patience() is None
    box.close()


def test_a_target_without_a_socket_is_dead_and_so_is_all_that_waits_for_it(lanes: Lanes, tmp_path: Path) -> None:
    lanes.add(str(tmp_path / "nobody"), b"x", "one")

    assert list(lanes.finished) == [("one", Fate.DEAD)]


def test_a_target_that_dies_takes_with_it_what_waits(lanes: Lanes, tmp_path: Path, listen: Listen) -> None:
    target = listen("target")
    for number in range(3):
        lanes.add(str(tmp_path / "target"), b"x", number)
    assert not lanes.finished

    target.close()
    run(lanes, lambda: lanes.finished)

    assert list(lanes.finished) == [(number, Fate.DEAD) for number in range(3)]
    assert not lanes


def test_a_target_known_to_be_dead_is_buried_at_once(lanes: Lanes, tmp_path: Path, listen: Listen) -> None:
    listen("target")
    lanes.add(str(tmp_path / "target"), b"x", "one")

    lanes.bury(str(tmp_path / "target"))
    lanes.bury(str(tmp_path / "somebody else"))

    assert list(lanes.finished) == [("one", Fate.DEAD)]
    assert not list(lanes.descriptors())


def test_a_stopped_target_holds_up_nobody_else(lanes: Lanes, tmp_path: Path, listen: Listen) -> None:
    listen("stopped")
    box = Inbox(str(tmp_path / "box"))
    for number in range(100):
        lanes.add(str(tmp_path / "stopped"), b"x" * 1_000_000, number)
    lanes.add(str(tmp_path / "box"), b"N.", "for another")  # the pickle of None

    run(lanes, lambda: lanes.finished, box)

    assert list(lanes.finished) == [("for another", Fate.TAKEN)]
    assert lanes
    box.close()


def test_a_broken_connection_is_tried_again(lanes: Lanes, tmp_path: Path, listen: Listen) -> None:
    target = listen("target")
    lanes.add(str(tmp_path / "target"), b"x", "one")
    target.accept()[0].close()
    target.setblocking(False)
    answered: list[socket.socket] = []

    def answer_the_second() -> object:
        try:
            answered.append(target.accept()[0])
        except BlockingIOError:
            return lanes.finished
        answered[-1].send(TAKEN)
        return lanes.finished

    run(lanes, answer_the_second)

    assert list(lanes.finished) == [("one", Fate.TAKEN)]
    assert len(answered) == 1
    answered[0].close()


def test_a_connection_that_always_breaks_is_given_up(
    lanes: Lanes, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.0)
    target = listen("target")
    target.setblocking(False)
    lanes.add(str(tmp_path / "target"), b"x", "one")
    breaks = []

    def hang_up() -> object:
        try:
            target.accept()[0].close()
            breaks.append(1)
        except BlockingIOError:
            pass
        return lanes.finished

    run(lanes, hang_up)

    assert list(lanes.finished) == [("one", Fate.BROKEN)]
    assert len(breaks) == 20


def test_a_full_backlog_is_waited_for(lanes: Lanes, tmp_path: Path, listen: Listen) -> None:
    target = listen("target", 0)
    others = []
    with pytest.raises(BlockingIOError):
        for _ in range(10):
            others.append(socket.socket(socket.AF_UNIX))
            others[-1].setblocking(False)
            others[-1].connect(str(tmp_path / "target"))
    lanes.add(str(tmp_path / "target"), b"x", "one")
    assert not list(lanes.descriptors())
    assert lanes.patience() is not None

    run(lanes, lambda: True)
    assert not lanes.finished
    for _ in range(len(others) - 1):
        target.accept()[0].close()
    run(lanes, lambda: list(lanes.descriptors()))
    connection = target.accept()[0]
    connection.send(TAKEN)
    run(lanes, lambda: lanes.finished)

    assert list(lanes.finished) == [("one", Fate.TAKEN)]
    for each in (*others, connection):
        each.close()


def test_what_a_living_target_never_takes_expires(
    lanes: Lanes, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LIFE", 0.05)
    monkeypatch.setattr(module, "_SWEEP", 0.01)
    listen("stopped")
    for number in range(3):
        lanes.add(str(tmp_path / "stopped"), b"x", number)

    run(lanes, lambda: len(lanes.finished) == 3)

    assert list(lanes.finished) == [(number, Fate.EXPIRED) for number in range(3)]
    assert not lanes
    assert not list(lanes.descriptors())
