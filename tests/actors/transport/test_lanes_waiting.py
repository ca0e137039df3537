"""Sending, to targets that live and do not take what is sent: it waits, within bounds, and expires."""

from __future__ import annotations

import pickle
import resource
import socket
import time
from pathlib import Path

import pytest

from squad.actors.transport import lanes as module
from squad.actors.transport.inbox import Inbox
from squad.actors.transport.lanes import Fate, Lanes
from squad.actors.transport.wire import frame
from tests.actors.transport.laning import HELLO, Listen, Run, numbers


def test_a_stopped_target_holds_up_nobody_else(
    lanes: Lanes, box: Inbox, tmp_path: Path, listen: Listen, run: Run
) -> None:
    listen("stopped")
    for number in range(100):
        lanes.add(str(tmp_path / "stopped"), frame(b"x" * 1_000_000), number)
    lanes.add(str(tmp_path / "box"), frame(pickle.dumps("hello")), "for another")

    run(lambda: box.messages)

    assert list(lanes.finished) == [("for another", Fate.SENT)]
    assert lanes


def test_a_full_backlog_is_waited_for(lanes: Lanes, tmp_path: Path, listen: Listen, run: Run) -> None:
    target = listen("target", 0)
    others = []
    with pytest.raises(BlockingIOError):
        for _ in range(10):
            others.append(socket.socket(socket.AF_UNIX))
            others[-1].setblocking(False)
            others[-1].connect(str(tmp_path / "target"))
    lanes.add(str(tmp_path / "target"), frame(b"x"), "one")
    lanes.flush()
    assert lanes.connections == 0
    assert lanes.patience() is not None

    run(lambda: True)
    assert not lanes.finished
    for _ in range(len(others) - 1):
        target.accept()[0].close()
    run(lambda: lanes.finished)

    assert list(lanes.finished) == [("one", Fate.SENT)]
    for each in others:
        each.close()


def test_without_a_descriptor_messages_wait_and_none_is_lost(
    lanes: Lanes, box: Inbox, tmp_path: Path, run: Run
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        lowest = probe.fileno()
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                held.append(socket.socket())
        for number in range(3):
            lanes.add(str(tmp_path / "box"), frame(pickle.dumps(number)), number)
        lanes.flush()
        assert not lanes.finished
        held.pop().close()
        run(lambda: len(lanes.finished) == 3)  # this end could connect; none is left for the other end to accept
        assert not box.messages
        held.pop().close()

        def arrived() -> bool:
            box.attend()
            return len(box.messages) == 3

        run(arrived)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for each in held:
            each.close()
    assert numbers(box) == [0, 1, 2]


def test_what_a_living_target_never_takes_expires(
    lanes: Lanes, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(module, "_LIFE", 0.05)
    monkeypatch.setattr(module, "_SWEEP", 0.01)
    target = listen("stopped")
    lanes.add(str(tmp_path / "stopped"), frame(b"a" * 1_000_000), "begun")
    for number in range(3):
        lanes.add(str(tmp_path / "stopped"), frame(b"x"), number)

    run(lambda: len(lanes.finished) == 3)

    assert list(lanes.finished) == [(number, Fate.EXPIRED) for number in range(3)]
    monkeypatch.setattr(module, "_LIFE", 300.0)  # it takes what comes now, at whatever pace
    with target.accept()[0] as connection:  # what was begun arrives whole, and so does what comes later
        connection.settimeout(30)
        lanes.add(str(tmp_path / "stopped"), frame(b"later"), "later")
        expected = HELLO + frame(b"a" * 1_000_000) + frame(b"later")
        received = bytearray()

        def read() -> bool:
            received.extend(connection.recv(1_000_000))
            return len(received) >= len(expected)

        run(read)
    assert received == expected


def test_of_a_long_stream_only_what_the_kernel_can_hold_may_be_unread(
    lanes: Lanes, tmp_path: Path, listen: Listen, run: Run
) -> None:
    target = listen("target")
    for number in range(100):
        lanes.add(str(tmp_path / "target"), frame(b"x" * 10_000), number)
    lanes.flush()
    with target.accept()[0] as connection:
        received = 0

        def read() -> bool:
            nonlocal received
            received += len(connection.recv(10_000))
            return not lanes

        run(read)
    run(lambda: lanes.connections == 0)

    read_whole = (received - len(HELLO)) // len(frame(b"x" * 10_000))
    unread = [number for number, fate in lanes.finished if fate is Fate.UNREAD]
    assert unread == list(range(unread[0], 100))
    assert 50 < unread[0] <= read_whole


def test_nothing_is_stirred_up_when_what_waited_has_expired(
    lanes: Lanes, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(module, "_LIFE", 0.05)
    monkeypatch.setattr(module, "_SWEEP", 0.01)
    target = listen("target")
    for number in range(3000):  # small ones: the last write ends with a whole frame, or nearly always
        lanes.add(str(tmp_path / "target"), frame(b"x" * 1000), number)
        lanes.flush()
    run(lambda: any(fate is Fate.EXPIRED for _number, fate in lanes.finished))

    with target.accept()[0] as connection:
        connection.settimeout(30)
        while len(connection.recv(10_000_000)) > 100_000:
            lanes.flush()
        run(lambda: not lanes)
        began = time.monotonic()
        lanes._poller.wait(0.2)
        lanes._poller.wait(0.2)
        assert time.monotonic() - began > 0.3  # nothing wakes it any more


def test_what_waits_for_a_full_backlog_expires_as_well(
    lanes: Lanes, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(module, "_LIFE", 0.05)
    monkeypatch.setattr(module, "_SWEEP", 0.01)
    listen("target", 0)
    with socket.socket(socket.AF_UNIX) as first:
        first.connect(str(tmp_path / "target"))
        lanes.add(str(tmp_path / "target"), frame(b"x"), "one")
        run(lambda: lanes.finished)

    assert list(lanes.finished) == [("one", Fate.EXPIRED)]
    assert not lanes
    assert lanes.patience() is None


def test_what_waits_for_one_target_has_a_bound_and_others_none_of_it(  # noqa: PLR0917
    lanes: Lanes, box: Inbox, tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(module, "_MOST", 10_000_000)
    target = listen("stopped")
    for number in range(12):
        lanes.add(str(tmp_path / "stopped"), frame(b"x" * 1_000_000), number)
    lanes.add(str(tmp_path / "box"), frame(pickle.dumps(b"y" * 20_000_000)), "larger than that, by itself")
    run(lambda: box.messages)

    refused = [number for number, fate in lanes.finished if fate is Fate.REFUSED]
    assert refused == list(range(refused[0], 12))
    assert 9 <= refused[0] <= 11  # some is in the kernel
    with target.accept()[0] as connection:  # what was taken arrives, and there is room again
        connection.settimeout(5)
        expected = len(HELLO) + (refused[0] + 1) * len(frame(b"x" * 1_000_000))
        received = 0

        def read() -> bool:
            nonlocal received
            received += len(connection.recv(1_000_000))
            if received > 5_000_000 and ("later", Fate.REFUSED) not in lanes.finished and not added:
                added.append(lanes.add(str(tmp_path / "stopped"), frame(b"x" * 1_000_000), "later"))
            return received >= expected

        added: list[None] = []
        run(read)
    assert ("later", Fate.SENT) in lanes.finished
