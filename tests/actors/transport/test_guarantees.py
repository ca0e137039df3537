"""What the transport promises when much is sent, and when processes die in the middle of it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from thespian.actors import ActorAddress, ActorSystem, PoisonMessage
from thespian.system.messages.status import Thespian_ActorStatus, Thespian_StatusReq
from thespian.system.transport import TransmitIntent

from squad.actors.transport import System
from squad.actors.transport.address import UnixAddress
from squad.actors.transport.folder import open_folder
from squad.actors.transport.system_base import FOLDER, register
from squad.actors.transport.unix import Endpoint, UnixTransport
from tests.actors.transport.cast import Echo, Family, Kill, News, Raise, Say
from tests.actors.transport.crowd import (
    Failing,
    FloodEachOther,
    Flooder,
    Logging,
    Mortal,
    Mourner,
    Ready,
    SayAndDie,
    SendFromThreads,
    Threaded,
)
from tests.actors.transport.laning import Listen
from tests.actors.transport.watching import all_gone
from tests.running import eventually

MANY = 100_000


@pytest.fixture
def thespian(run_dir: Path) -> Iterator[ActorSystem]:
    """The same, through Thespian's own interface."""
    folder = open_folder(run_dir)
    system = ActorSystem(register(), capabilities={FOLDER: folder}, transientUnique=True)
    yield system
    system.shutdown()
    folder.close()


def test_two_actors_that_flood_each_other_both_finish(system: System) -> None:
    one, other = system.create(Flooder), system.create(Flooder)

    assert system.ask(one, FloodEachOther(other, MANY), 200) == Ready(in_order=True)


def test_sixty_four_megabytes_go_there_and_back(system: System) -> None:
    echo = system.create(Echo)
    data = os.urandom(64 * 1024 * 1024)

    assert system.ask(echo, Say(1, data), 60).data == data


def test_what_was_written_by_one_who_is_killed_comes_before_its_exit(system: System) -> None:
    """And it comes, although the parent was not there to read it while the child lived."""
    mourner = system.create(Mourner)
    children = system.ask(mourner, Raise(Mortal, 1), 60).pids
    parent = system.ask(mourner, Say(), 60).pid
    system.tell(mourner, SayAndDie(500))
    system.ask(mourner, News(), 60)  # it has passed that on
    os.kill(parent, signal.SIGSTOP)

    eventually(lambda: all_gone(children), "the child is dead")
    os.kill(parent, signal.SIGCONT)

    def heard() -> tuple[tuple[str, int], ...]:
        items: tuple[tuple[str, int], ...] = system.ask(mourner, News(), 60).items
        return items

    eventually(lambda: ("exited", 0) in heard(), "its exit is told")
    assert heard() == (("last words", 0),) * 500 + (("exited", 0),)


def test_who_leaves_sends_all_of_it_although_its_target_had_no_room_at_first(run_dir: Path, listen: Listen) -> None:
    folder = open_folder(run_dir)
    transport = UnixTransport(Endpoint(None, folder.fresh(), None, folder))
    target = listen("target", 0)
    path = target.getsockname()
    others = []
    with pytest.raises(BlockingIOError):  # its backlog is full
        for _ in range(10):
            others.append(socket.socket(socket.AF_UNIX))
            others[-1].setblocking(False)
            others[-1].connect(path)
    to = ActorAddress(UnixAddress(path))
    transport.scheduleTransmit(None, TransmitIntent(to, b"x" * 1_000_000))  # more than a connection takes at once
    transport._poller.wait(0)  # it was woken to look after that; in its own loop nobody would have
    for _ in others[:-1]:
        target.accept()[0].close()

    with ThreadPoolExecutor(1) as reader:
        received = reader.submit(_read_to_the_end, target)
        transport.drain(20)
        transport.close()

        assert received.result(60) > 1_000_000
    for each in others:
        each.close()


def _read_to_the_end(listener: socket.socket) -> int:
    with listener.accept()[0] as connection:
        return sum(iter(lambda: len(connection.recv(1_000_000)), 0))


def test_a_thousand_exits_are_told_when_twenty_die_at_once_fifty_times(system: System) -> None:
    family = system.create(Family)
    exits = 0

    for _ in range(50):
        system.ask(family, Raise(Echo, 20), 60)
        exits += sum(what == "exited" for what, _child in system.ask(family, Kill(), 60).items)

    assert exits == 1000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_children_live_at_once(system: System) -> None:
    """Each knows its parent and is known to it; a limit on descriptors that is usual for a service is enough."""
    family = system.create(Family)

    assert len(system.ask(family, Raise(Echo, 1000), 110).pids) == 1000
    assert len(system.ask(family, Kill(), 60).items) == 1000


def test_threads_of_a_plain_actor_may_send(thespian: ActorSystem) -> None:
    actor = thespian.createActor(Threaded)
    thespian.tell(actor, SendFromThreads(4, 500))

    came = [thespian.listen(20) for _ in range(2000)]

    for name in range(4):
        assert [number for thread, number in came if thread == name] == list(range(500))


def test_what_a_plain_actor_logs_goes_where_the_system_was_told(run_dir: Path, tmp_path: Path) -> None:
    handler = {"class": "logging.FileHandler", "filename": str(tmp_path / "log"), "formatter": "all"}
    logs = {
        "version": 1,
        "formatters": {"all": {"format": "%(actorAddress)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"file": handler},
        "root": {"level": "INFO", "handlers": ["file"]},
    }
    folder = open_folder(run_dir)
    system = ActorSystem(register(), capabilities={FOLDER: folder}, logDefs=logs, transientUnique=True)
    try:
        address = system.ask(system.createActor(Logging), "hello", 60)
        assert (tmp_path / "log").read_text() == f"{address} WARNING of.the.actor told: hello\n"
    finally:
        system.shutdown()
        folder.close()


@pytest.mark.parametrize("fails", [0, 1])
def test_a_plain_actor_that_fails_gets_the_message_once_more(thespian: ActorSystem, fails: int) -> None:
    assert thespian.ask(thespian.createActor(Failing), fails, 60) == fails + 1


def test_a_message_at_which_a_plain_actor_fails_twice_comes_back(thespian: ActorSystem) -> None:
    answer = thespian.ask(thespian.createActor(Failing), 2, 60)

    assert isinstance(answer, PoisonMessage)
    assert answer.poisonMessage == 2


def test_the_counters_of_a_status_report_count_every_message(thespian: ActorSystem) -> None:
    actor = thespian.createActor(Failing)
    for _ in range(3):
        thespian.ask(actor, 0, 60)

    report = thespian.ask(actor, Thespian_StatusReq(), 60)

    assert isinstance(report, Thespian_ActorStatus)
    counters = report.miscKeyVals
    assert counters["Actor.Message Received.Total"] == 4
    assert counters["Actor.Message Send.Generated"] == 3
