"""Processes die in every way, and the right ones hear of it. Each test fails on Thespian 4.0.1 as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from squad.actors.transport import System, open_system
from tests.actors.transport.cast import (
    Children,
    Crash,
    Echo,
    EndChildren,
    Family,
    Forking,
    Kill,
    Leave,
    Memories,
    News,
    Raise,
    Said,
    Say,
    Stillborn,
    Vanishing,
    WhatCame,
)
from tests.actors.transport.versatile import Versatile
from tests.actors.transport.watching import alive, all_gone, descriptors, inode, sockets_in, tree
from tests.running import ROOT, eventually


def test_every_exit_is_told_when_twenty_children_die_at_once(system: System) -> None:
    family = system.create(Family)

    for _ in range(5):
        system.ask(family, Raise(Echo, 20), 60)
        news = system.ask(family, Kill(), 60)

        assert sorted(news.items) == [("exited", number) for number in range(20)]


@pytest.mark.parametrize("kind", [Stillborn, Vanishing])
def test_a_child_that_dies_at_once_is_told_like_any_other(system: System, kind: type[Echo]) -> None:
    family = system.create(Family)

    news = system.ask(family, Raise(kind, 5), 60)

    assert sorted(news.items) == [("exited", number) for number in range(5)]


def test_the_exit_of_a_child_that_leaves_is_told_once(system: System) -> None:
    family = system.create(Family)
    children = system.ask(family, Raise(Echo, 3), 60).pids
    system.tell(family, Leave(words=0))
    eventually(lambda: all_gone(children), "the children have left")

    def heard() -> tuple[tuple[str, int], ...]:
        items: tuple[tuple[str, int], ...] = system.ask(family, News(), 60).items
        return items

    eventually(lambda: len(heard()) >= 3, "three exits")
    assert sorted(heard()) == [("exited", number) for number in range(3)]


def test_thespians_own_way_to_end_an_actor_is_told_once(system: System) -> None:
    family = system.create(Family)
    children = system.ask(family, Raise(Echo, 3), 60).pids

    news = system.ask(family, EndChildren(), 60)

    assert all_gone(children)
    assert sorted(news.items) == [("exited", number) for number in range(3)]
    assert system.ask(family, News(), 60) == news


def test_what_a_child_said_last_comes_before_its_exit(system: System) -> None:
    family = system.create(Family)
    system.ask(family, Raise(Echo, 8), 60)

    news = system.ask(family, Leave(words=20), 60)

    for child in range(8):
        told = [what for what, number in news.items if number == child]
        assert told == ["last words"] * 20 + ["exited"]


def test_the_admin_has_no_logger_whose_death_could_end_it(system: System) -> None:
    echo = system.create(Echo)
    first = system.ask(echo, Say(), 60).pid

    assert tree(system.admin_pid) == [system.admin_pid, first]

    os.kill(first, signal.SIGKILL)
    assert system.ask(system.create(Echo), Say(2), 60).number == 2
    assert system.alive()


def test_everything_dies_with_the_admin(system: System) -> None:
    family = system.create(Family)
    stopped = system.ask(family, Raise(Echo, 5), 60).pids[0]
    os.kill(stopped, signal.SIGSTOP)
    pids = tree(system.admin_pid)
    assert len(pids) == 7

    os.kill(system.admin_pid, signal.SIGKILL)

    eventually(lambda: all_gone(pids), "the tree is gone")


def test_everything_below_an_actor_dies_with_it(system: System) -> None:
    family = system.create(Family)
    children = system.ask(family, Raise(Echo, 5), 60).pids

    os.kill(system.ask(family, Say(), 60).pid, signal.SIGKILL)

    eventually(lambda: all_gone(children), "the children are gone")
    assert system.alive()


OPENER = """
import signal, sys
from pathlib import Path
from squad.actors.transport import open_system
from tests.actors.transport.cast import Echo, Family, Raise
system = open_system(Path(sys.argv[1]))
system.ask(system.create(Family), Raise(Echo, 3), 60)
print(system.admin_pid, flush=True)
signal.pause()
"""


def test_everything_dies_with_the_process_that_opened_it(run_dir: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OPENER, str(run_dir)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as opener:
        assert opener.stdout is not None
        pids = tree(int(opener.stdout.readline()))
        assert len(pids) == 5

        opener.kill()

        eventually(lambda: all_gone(pids), "the tree is gone")
        assert opener.stdout.read() == ""  # and nobody holds its standard output


def test_an_exception_ends_an_actor_with_status_70(system: System) -> None:
    echo = system.create(Echo)
    pid = system.ask(echo, Say(), 60).pid

    # Its parent is to collect the status; look at it in between.
    os.kill(system.admin_pid, signal.SIGSTOP)
    system.tell(echo, Crash())
    process = psutil.Process(pid)
    eventually(lambda: process.status() == psutil.STATUS_ZOMBIE, "the actor has crashed")
    status = int(Path(f"/proc/{pid}/stat").read_text().split()[-1])
    os.kill(system.admin_pid, signal.SIGCONT)

    assert os.waitstatus_to_exitcode(status) == 70


def test_the_socket_of_a_killed_actor_is_removed(system: System, run_dir: Path) -> None:
    family = system.create(Family)
    system.ask(family, Raise(Echo, 3), 60)
    before = len(sockets_in(run_dir))

    system.ask(family, Kill(), 60)

    assert len(sockets_in(run_dir)) == before - 3


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGINT, False), (signal.SIGHUP, False), (signal.SIGTERM, True)], ids=str
)
def test_signals(system: System, number: signal.Signals, ends: bool) -> None:
    echo = system.create(Echo)
    pid = system.ask(echo, Say(), 60).pid

    os.kill(pid, number)

    if ends:
        eventually(lambda: not alive(pid), "the actor is gone")
    else:
        assert isinstance(system.ask(echo, Say(), 60), Said)
        os.kill(system.admin_pid, number)
        assert isinstance(system.ask(system.create(Echo), Say(), 60), Said)


def test_handlers_of_the_opener_do_not_run_in_actors(run_dir: Path) -> None:
    previous = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        system = open_system(run_dir)
        try:
            pid = system.ask(system.create(Echo), Say(), 60).pid
            os.kill(pid, signal.SIGUSR1)
            eventually(lambda: not alive(pid), "the default of SIGUSR1 has ended it")
        finally:
            assert system.close(timeout=30)
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_nothing_is_kept_of_children_that_are_gone(system: System) -> None:
    """Thespian keeps an address of each child that there ever was."""
    family = system.create(Family)

    for _ in range(15):
        system.ask(family, Raise(Echo, 20), 60)
        assert system.ask(family, Memories(), 60).entries == 20
        system.ask(family, Kill(), 60)

    system.ask(family, Raise(Echo, 1), 60)  # it forgets the addresses of the others
    assert system.ask(family, Memories(), 60).entries == 1


# -- descriptors -------------------------------------------------------------------------------------------------------


def test_a_parent_keeps_no_descriptor_for_a_child(idle_soon: None, system: System) -> None:
    family = system.create(Family)
    process = psutil.Process(system.ask(family, Say(), 60).pid)
    before = process.num_fds()

    for _ in range(2):
        system.ask(family, Raise(Echo, 20), 60)
        eventually(lambda: process.num_fds() <= before, "no more descriptors than before")
    assert isinstance(system.ask(family, Kill(), 60), News)


def test_a_child_has_no_socket_or_pipe_of_its_parent(system: System) -> None:
    versatile = system.create(Versatile)
    inherited = set(map(inode, descriptors(system.ask(versatile, Say(), 60).pid)))
    admin, own = set(map(inode, descriptors(system.admin_pid))), set(map(inode, descriptors(os.getpid())))

    listening = _listening_inodes()
    assert listening & admin
    assert listening & own
    assert not listening & (admin | own) & inherited


def _listening_inodes() -> set[str]:
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {row[6] for row in rows if row[3] == "00010000"}  # __SO_ACCEPTCON


def test_a_process_that_an_actor_forks_does_not_keep_its_socket_open_and_ends_with_the_system(run_dir: Path) -> None:
    system = open_system(run_dir)
    try:
        actor = system.create(Forking)
        forked = system.ask(actor, Say(), 60).pid
        pid = psutil.Process(forked).ppid()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not alive(pid), "the actor is gone")

        eventually(lambda: not system.tell(actor, WhatCame()), "nobody listens in its name")
        assert alive(forked)
    finally:
        assert system.close(timeout=30)
    assert not alive(forked)


def test_a_child_has_none_of_the_connections_that_its_parent_had_when_it_was_born(
    idle_soon: None, system: System
) -> None:
    family = system.create(Family)
    assert isinstance(system.ask(family, Raise(Echo, 30), 60), Children)
    pids = tree(system.admin_pid)[2:]

    def sockets() -> list[int]:
        return [sum(name.startswith("socket:") for name in descriptors(pid)) for pid in pids]

    eventually(lambda: sockets() == [1] * 30, "each has the socket that it listens on, and no other")
