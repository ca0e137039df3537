"""A whole actor system, opened, used and closed as the launcher does it."""

from __future__ import annotations

import gc
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from thespian.actors import ActorSystem

from squad.actors.transport import System, open_system, version
from squad.actors.transport.folder import open_folder
from squad.actors.transport.system_base import FOLDER, register
from squad.errors import HomeError, StartError
from tests.actors.transport.cast import (
    Came,
    Children,
    Count,
    Echo,
    Family,
    Flood,
    Flooded,
    Raise,
    Said,
    Say,
    Stillborn,
    TellUnpicklable,
    Vanishing,
    WhatCame,
)
from tests.actors.transport.watching import all_gone, descriptors, sockets_in, tree
from tests.running import ROOT, eventually


def test_an_actor_answers(system: System) -> None:
    echo = system.create(Echo)

    answer = system.ask(echo, Say(7, b"data"), 60)

    assert (answer.number, answer.data) == (7, b"data")
    assert answer.pid in tree(system.admin_pid)


def test_messages_of_one_pair_keep_their_order(system: System) -> None:
    echo = system.create(Echo)

    for number in range(200):
        assert system.tell(echo, Count(number))

    assert system.ask(echo, WhatCame(), 60) == Came(tuple(range(200)), 0)


def test_a_burst_arrives_completely_and_in_order(system: System) -> None:
    family = system.create(Family)
    system.ask(family, Raise(Echo, 1), 60)

    flooded = system.ask(family, Flood(5000), 60)

    assert isinstance(flooded, Flooded)
    assert flooded.came.numbers == tuple(range(5000))


def test_a_receiver_that_is_stopped_gets_everything_later_and_holds_up_nobody(system: System) -> None:
    family = system.create(Family)
    (pid,) = system.ask(family, Raise(Echo, 1), 60).pids
    os.kill(pid, signal.SIGSTOP)
    answers: list[Flooded] = []
    asking = threading.Thread(target=lambda: answers.append(system.ask(family, Flood(3000), 60)))
    asking.start()

    # While 3,000 messages wait for the stopped one, their sender takes and answers others.
    eventually(lambda: system.ask(family, WhatCame(), 60) == Came((3000,), 0), "the sender has sent and answers", 60)
    os.kill(pid, signal.SIGCONT)
    asking.join()

    assert answers[0].came.numbers == tuple(range(3000))


def test_two_megabytes_go_through(system: System) -> None:
    echo = system.create(Echo)
    data = os.urandom(2 * 1024 * 1024)

    assert system.ask(echo, Say(0, data), 60).data == data


def test_a_dead_actor_is_known_at_once(system: System) -> None:
    echo = system.create(Echo)
    os.kill(system.ask(echo, Say(), 60).pid, signal.SIGKILL)
    eventually(lambda: not system.tell(echo, Count(0)), "a tell to the dead actor fails")

    began = time.monotonic()
    assert system.ask(echo, Say(), 60) is None
    assert time.monotonic() - began < 30


def test_an_actor_that_dies_before_it_has_read_the_question_is_known_at_once(system: System) -> None:
    echo = system.create(Echo)
    pid = system.ask(echo, Say(), 60).pid
    os.kill(pid, signal.SIGSTOP)
    answers: list[object] = []
    asking = threading.Thread(target=lambda: answers.append(system.ask(echo, Say(), 60)))
    asking.start()
    eventually(lambda: asking.is_alive() and not answers, "the question is on its way")

    os.kill(pid, signal.SIGKILL)
    asking.join(30)

    assert answers == [None]


def test_a_late_answer_reaches_nobody(system: System) -> None:
    echo = system.create(Echo)
    pid = system.ask(echo, Say(1), 60).pid
    os.kill(pid, signal.SIGSTOP)

    assert system.ask(echo, Say(2), 0.1) is None
    os.kill(pid, signal.SIGCONT)

    assert system.ask(echo, Say(3), 60).number == 3
    assert system.ask(echo, Say(4), 60).number == 4


@pytest.mark.parametrize("kind", [Stillborn, Vanishing])
def test_an_actor_that_does_not_start_is_reported_at_once(system: System, kind: type[Echo]) -> None:
    with pytest.raises(StartError, match=f"{kind.__name__} did not start.*ended with status"):
        system.create(kind)


def test_a_class_that_cannot_be_imported_is_reported(system: System) -> None:
    class Local(Echo):
        pass

    with pytest.raises(StartError, match="Local did not start"):
        system.create(Local)


def test_create_fails_when_the_admin_is_dead(system: System) -> None:
    os.kill(system.admin_pid, signal.SIGKILL)
    eventually(lambda: not system.alive(), "the admin is dead")

    with pytest.raises(StartError, match="Echo did not start"):
        system.create(Echo)


QUIET = """
import sys
from pathlib import Path
from squad.actors.transport import open_system
from squad.errors import StartError
from tests.actors.transport.cast import Echo, Say, Stillborn
system = open_system(Path(sys.argv[1]))
try:
    system.ask(system.create({0}), Say(), 60)
except StartError as error:
    print(error)
finally:
    system.close(timeout=30)
assert "thespian.system.transport.IPBase" not in sys.modules  # which asks the DNS and opens a UDP socket
"""


def run_alone(program: str, run_dir: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, str(run_dir)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)


def test_nothing_is_printed(run_dir: Path) -> None:
    done = run_alone(QUIET.format("Echo"), run_dir)

    assert (done.stdout, done.stderr) == ("", "")


def test_a_crash_before_an_actor_has_set_up_its_logging_is_printed(run_dir: Path) -> None:
    done = run_alone(QUIET.format("Stillborn"), run_dir)

    assert done.stdout == "Stillborn did not start: its process ended with status 70 before it was ready\n"
    assert done.stderr.startswith("Stillborn crashed\nTraceback")
    assert done.stderr.endswith("RuntimeError: on purpose\n")


def test_thespians_own_interface_works(run_dir: Path) -> None:
    folder = open_folder(run_dir)
    thespian = ActorSystem(register(), capabilities={FOLDER: folder}, transientUnique=True)
    try:
        echo = thespian.createActor(Echo)
        thespian.tell(echo, Count(3))
        assert thespian.ask(echo, WhatCame(), 60) == Came((3,), 0)
        pid = thespian.ask(echo, Say(), 60).pid
    finally:
        thespian.shutdown()
    eventually(lambda: all_gone([pid]), "the actor is gone")


# -- closing -----------------------------------------------------------------------------------------------------------


def test_close_leaves_nothing_and_says_so(run_dir: Path) -> None:
    system = open_system(run_dir)
    family = system.create(Family)
    system.ask(family, Raise(Echo, 3), 60)
    pids = tree(system.admin_pid)
    assert len(pids) == 5  # the admin, the family and its children: nobody else, and no logger
    assert len(sockets_in(run_dir)) == 6

    assert system.close(timeout=30)

    assert all_gone(pids)
    assert sockets_in(run_dir) == []
    assert system.close()  # once more is no mistake


def test_close_ends_what_is_stopped_and_what_is_dead(run_dir: Path) -> None:
    system = open_system(run_dir)
    family = system.create(Family)
    children = system.ask(family, Raise(Echo, 4), 60).pids
    pids = tree(system.admin_pid)
    os.kill(children[0], signal.SIGSTOP)
    os.kill(children[1], signal.SIGKILL)
    for pid in pids[:2]:  # the admin, and the family
        os.kill(pid, signal.SIGSTOP)

    assert system.close(timeout=30)

    assert all_gone(pids)
    assert sockets_in(run_dir) == []


def test_a_second_system_opens_after_a_close(run_dir: Path) -> None:
    open_system(run_dir).close()

    second = open_system(run_dir)
    try:
        assert second.ask(second.create(Echo), Say(5), 60).number == 5
    finally:
        assert second.close()


def test_a_second_system_opens_after_the_admin_was_killed(run_dir: Path) -> None:
    first = open_system(run_dir)
    family = first.create(Family)
    first.ask(family, Raise(Echo, 2), 60)
    pids = tree(first.admin_pid)
    os.kill(first.admin_pid, signal.SIGKILL)
    eventually(lambda: not first.alive(), "the admin is dead")
    assert first.close()
    assert all_gone(pids)

    second = open_system(run_dir)
    try:
        assert second.ask(second.create(Echo), Say(5), 60).number == 5
        assert not second.tell(family, Count(1))  # the address is not used again
    finally:
        assert second.close()


# -- opening -----------------------------------------------------------------------------------------------------------


def test_another_version_of_thespian_is_refused(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "version", lambda _name: "4.0.2")

    with pytest.raises(StartError, match=r"Thespian 4\.0\.2 is installed.*4\.0\.1 only") as refusal:
        open_system(run_dir)

    assert refusal.value.hint == "pip install thespian==4.0.1"
    assert not run_dir.exists()


def test_a_transport_that_does_not_exist_is_refused(run_dir: Path) -> None:
    with pytest.raises(StartError, match="there is no transport 'tcp'"):
        open_system(run_dir, "tcp")


def test_another_thread_than_the_main_one_is_refused(run_dir: Path) -> None:
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            open_system(run_dir)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()

    assert "main thread" in str(errors[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(run_dir: Path) -> None:
    run_dir.mkdir(parents=True)
    os.chown(run_dir, 65534, 65534)

    with pytest.raises(HomeError, match="belongs to another user"):
        open_system(run_dir)


def test_a_file_in_the_way_is_refused(run_dir: Path) -> None:
    run_dir.parent.mkdir(parents=True)
    run_dir.write_text("")

    with pytest.raises(HomeError, match="cannot be used"):
        open_system(run_dir)


def test_old_sockets_are_swept_and_other_files_kept(run_dir: Path) -> None:
    (run_dir / "hand").mkdir(parents=True)
    (run_dir / "notes").write_text("mine")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(run_dir / "old"))

    system = open_system(run_dir)
    try:
        assert not (run_dir / "old").exists()
        assert (run_dir / "notes").read_text() == "mine"
        assert (run_dir / "hand").is_dir()
    finally:
        assert system.close(timeout=30)


def test_sockets_of_those_who_live_are_kept(system: System, run_dir: Path) -> None:
    echo = system.create(Echo)
    before = set(sockets_in(run_dir))

    second = open_system(run_dir)
    assert before < set(sockets_in(run_dir))
    assert second.close(timeout=30)

    assert set(sockets_in(run_dir)) == before
    assert system.ask(echo, Say(1), 60).number == 1


def test_a_path_too_long_for_a_socket_works_as_well(tmp_path: Path) -> None:
    run_dir = tmp_path / ("long" * 30) / "home" / "run"
    gc.collect()  # what an earlier test left may hold descriptors
    before = len(descriptors(os.getpid()))
    system = open_system(run_dir)
    try:
        family = system.create(Family)
        assert isinstance(system.ask(family, Raise(Echo, 2), 60), Children)
        assert system.ask(family, Say(1), 60).number == 1
        assert len(sockets_in(run_dir)) == 5
    finally:
        assert system.close(timeout=30)
    assert sockets_in(run_dir) == []
    assert len(descriptors(os.getpid())) == before


def test_the_opener_keeps_no_descriptor(run_dir: Path) -> None:
    open_system(run_dir).close()  # whatever is opened once and for all
    gc.collect()
    before = len(descriptors(os.getpid()))

    system = open_system(run_dir)
    echo = system.create(Echo)
    for number in range(20):
        system.ask(echo, Say(number), 60)
    system.close(timeout=30)

    assert len(descriptors(os.getpid())) == before


def test_thespian_logs_in_the_home_for_nobody_else_and_no_text_of_messages(system: System, run_dir: Path) -> None:
    echo = system.create(Echo)

    assert isinstance(system.ask(echo, TellUnpicklable(), 60), Said)

    path = run_dir.parent / "logs" / "thespian.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "transmit of Unpicklable" in path.read_text()
    assert "a secret" not in path.read_text()
