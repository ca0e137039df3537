"""Sending, to targets that take what is sent, and to targets that die."""

from __future__ import annotations

import os
import pickle
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from squad.actors.transport import lanes as module
from squad.actors.transport.inbox import Inbox
from squad.actors.transport.lanes import Fate, Lanes
from squad.actors.transport.poller import Poller
from squad.actors.transport.wire import frame, greeting
from tests.actors.transport.laning import Listen, Run, numbers


def test_messages_arrive_in_order_and_with_their_sender(lanes: Lanes, box: Inbox, tmp_path: Path, run: Run) -> None:
    for number in range(5000):
        lanes.add(str(tmp_path / "box"), frame(pickle.dumps(number)), number)

    run(lambda: len(box.messages) == 5000)

    assert numbers(box) == list(range(5000))
    assert {sender.addressDetails.path for sender, _message in box.messages} == {"/me"}
    assert list(lanes.finished) == [(number, Fate.SENT) for number in range(5000)]
    assert not lanes
    assert (lanes.connections, len(box)) == (1, 1)


def test_small_messages_between_large_ones_keep_their_order(lanes: Lanes, box: Inbox, tmp_path: Path, run: Run) -> None:
    sizes = [10, 3_000_000, 20, 30, 400_000, 1, 0, 262_144, 5]
    for size in sizes:
        lanes.add(str(tmp_path / "box"), frame(pickle.dumps(b"x" * size)), size)

    run(lambda: len(box.messages) == len(sizes))

    assert [len(message) for _sender, message in box.messages] == sizes
    assert [size for size, _fate in lanes.finished] == sizes


def test_a_target_without_a_socket_is_dead_and_so_is_all_that_waits_for_it(lanes: Lanes, tmp_path: Path) -> None:
    lanes.add(str(tmp_path / "nobody"), frame(b"x"), "one")
    lanes.add(str(tmp_path / "nobody"), frame(b"x"), "two")
    lanes.flush()

    assert list(lanes.finished) == [("one", Fate.DEAD), ("two", Fate.DEAD)]
    assert not lanes
    assert lanes.patience() is None


def test_a_target_that_dies_takes_with_it_what_waits(lanes: Lanes, tmp_path: Path, listen: Listen, run: Run) -> None:
    target = listen("target")
    for number in range(3):
        lanes.add(str(tmp_path / "target"), frame(b"x" * 1_000_000), number)
    lanes.flush()
    assert not lanes.finished

    target.close()
    run(lambda: lanes.finished)

    assert list(lanes.finished) == [(number, Fate.DEAD) for number in range(3)]
    assert not lanes
    assert lanes.connections == 0


def test_an_idle_connection_tells_at_once_that_its_target_is_dead(
    lanes: Lanes, tmp_path: Path, listen: Listen, run: Run
) -> None:
    target = listen("target")
    lanes.add(str(tmp_path / "target"), frame(b"x"), "one")
    lanes.flush()
    assert lanes.connections == 1

    target.close()
    run(lambda: lanes.connections == 0)
    lanes.add(str(tmp_path / "target"), frame(b"x"), "two")
    lanes.flush()

    assert list(lanes.finished) == [("one", Fate.SENT), ("one", Fate.UNREAD), ("two", Fate.DEAD)]


@pytest.mark.parametrize("read_all", [False, True])
def test_what_a_dead_target_had_not_read_is_told(
    lanes: Lanes, tmp_path: Path, listen: Listen, run: Run, read_all: bool
) -> None:
    target = listen("target")
    lanes.add(str(tmp_path / "target"), frame(b"1"), 1)
    lanes.flush()
    with target.accept()[0] as connection:
        connection.recv(1000)
        for number in (2, 3):
            lanes.add(str(tmp_path / "target"), frame(b"x"), number)
            lanes.flush()
        if read_all:
            connection.recv(1000)
    run(lambda: lanes.connections == 0)

    unread = [number for number, fate in lanes.finished if fate is Fate.UNREAD]
    assert unread == ([] if read_all else [2, 3])


def test_a_target_known_to_be_dead_is_buried_at_once(lanes: Lanes, tmp_path: Path, listen: Listen) -> None:
    listen("target")
    lanes.add(str(tmp_path / "target"), frame(b"x" * 1_000_000), "one")

    lanes.bury(str(tmp_path / "target"))
    lanes.bury(str(tmp_path / "somebody else"))

    assert list(lanes.finished) == [("one", Fate.DEAD)]
    assert not lanes


def test_an_idle_connection_is_closed_and_a_new_one_made_for_the_next_message(
    lanes: Lanes, box: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(module, "IDLE", 0.02)
    lanes.add(str(tmp_path / "box"), frame(pickle.dumps(1)), 1)
    run(lambda: box.messages)

    run(lambda: lanes.connections == 0)
    assert lanes.patience() is None
    run(lambda: len(box) == 0)
    lanes.add(str(tmp_path / "box"), frame(pickle.dumps(2)), 2)
    run(lambda: len(box.messages) == 2)

    assert numbers(box) == [1, 2]


def test_a_connection_with_something_unread_in_it_is_never_closed(
    lanes: Lanes, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """A second one could be read before it, and the order of the messages would be another."""
    monkeypatch.setattr(module, "IDLE", 0.0)
    target = listen("target")
    lanes.add(str(tmp_path / "target"), frame(b"x"), "one")
    run(lambda: lanes.finished)
    for _ in range(5):
        lanes.attend()
    assert lanes.connections == 1

    with target.accept()[0] as connection:
        connection.recv(1000)
        run(lambda: lanes.connections == 0)


def test_what_was_sent_before_is_written_before_also_to_others(
    lanes: Lanes, box: Inbox, poller: Poller, tmp_path: Path, listen: Listen
) -> None:
    """Who reads the last one may ask the first target, which shall know by then what it was told."""
    listen("another")
    for number in range(3):
        lanes.add(str(tmp_path / "box"), frame(pickle.dumps(number)), number)
    lanes.add(str(tmp_path / "another"), frame(b"x"), "last")

    assert list(lanes.finished)[-1] == ("last", Fate.SENT)
    assert [parcel for parcel, _fate in lanes.finished][:3] == [0, 1, 2]
    for _ in range(3):
        poller.wait(0)
    assert numbers(box) == [0, 1, 2]


def test_who_asks_because_of_a_message_is_read_after_an_earlier_message_to_the_same_target(
    lanes: Lanes, box: Inbox, poller: Poller, tmp_path: Path
) -> None:
    """Although its connection is one that was read lately."""
    with closing(Lanes(greeting("/who-asks"), poller)) as asking:
        for number, sender in enumerate([lanes, asking, lanes, asking, lanes, asking]):
            sender.send(str(tmp_path / "box"), frame(pickle.dumps(number)), number)
            if number < 4:
                poller.wait(0)

        poller.wait(0)

        assert numbers(box) == [0, 1, 2, 3, 4, 5]


def test_more_connections_than_are_taken_in_one_round_are_all_taken(box: Inbox, poller: Poller, tmp_path: Path) -> None:
    with ExitStack() as stack:
        for number in range(250):
            each = stack.enter_context(closing(Lanes(greeting(f"/{number}"), poller)))
            each.send(str(tmp_path / "box"), frame(pickle.dumps(number)), number)

        for _ in range(3):
            poller.wait(0)

        assert numbers(box) == list(range(250))
        assert len(box) == 250


def test_what_was_written_at_once_before_an_end_is_read_to_its_end(
    lanes: Lanes, box: Inbox, poller: Poller, tmp_path: Path
) -> None:
    lanes.send(str(tmp_path / "box"), frame(pickle.dumps(0)), 0)
    poller.wait(0)
    lanes.send(str(tmp_path / "box"), frame(pickle.dumps(1)), 1)
    lanes.close()

    for _ in range(3):
        poller.wait(0)

    assert numbers(box) == [0, 1]
    assert len(box) == 0


def test_the_end_of_one_connection_does_not_end_another_that_has_its_number(tmp_path: Path) -> None:
    """A thread meets the end of a target, and connects to another, while the loop still has the first one's event."""
    poller = Poller()
    dying, living = Inbox(str(tmp_path / "dying"), Poller()), Inbox(str(tmp_path / "living"), Poller())
    lanes = Lanes(greeting(str(tmp_path / "me")), poller)
    lanes.send(dying_path := str(tmp_path / "dying"), frame(pickle.dumps(1)), "first")
    connection = lanes._lanes[dying_path].connection
    assert connection is not None
    number = connection.fileno()
    dying.stop()
    held = [os.open(os.devnull, os.O_RDONLY)]
    while held[-1] < number:
        held.append(os.open(os.devnull, os.O_RDONLY))
    events = poller._epoll.poll(1)

    lanes.send(dying_path, frame(pickle.dumps(2)), "second")
    lanes.send(str(tmp_path / "living"), frame(pickle.dumps(bytes(4_000_000))), "large")  # waits for its reader
    for descriptor, event in events:
        poller._calls[descriptor](event)

    assert lanes.connections == 1
    assert ("large", Fate.DEAD) not in lanes.finished
    for descriptor in held:
        os.close(descriptor)
    lanes.close()
    living.stop()
