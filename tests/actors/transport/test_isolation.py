"""Nobody else gets in, and nothing goes out."""

from __future__ import annotations

import os
import pickle
import socket
import stat
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from squad.actors.transport import System
from squad.actors.transport.inbox import Inbox
from squad.actors.transport.poller import Poller
from squad.actors.transport.wire import ANSWER, TAKEN, UNREADABLE, frame, greeting
from tests.actors.transport.cast import Echo, Family, Raise, Said, Say
from tests.actors.transport.watching import read_all, tree
from tests.running import eventually

NOBODY = 65534

exploded: list[str] = []


class Bomb:
    """Pickled, it is a call that its receiver makes."""

    def __reduce__(self) -> tuple[object, ...]:
        return (exploded.append, ("bang",))


HELLO = greeting("me", ANSWER)


def messages(box: Inbox) -> list[tuple[str, object]]:
    return [(sender.addressDetails.path, message) for sender, message in box.messages]


def deliver(path: Path, data: bytes, *, cut: int | None = None) -> socket.socket:
    """Greet and send a frame (or the first ``cut`` bytes of both) as anybody could; the connection, for the answer."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(str(path))
    connection.sendall((HELLO + frame(data))[:cut])
    return connection


def test_no_process_of_the_tree_has_a_network_socket(system: System) -> None:
    family = system.create(Family)
    system.ask(family, Raise(Echo, 2), 60)

    for pid in tree(system.admin_pid):
        assert psutil.Process(pid).net_connections("inet") == []


def test_sockets_and_their_folder_are_for_their_owner_alone(system: System, run_dir: Path) -> None:
    echo = system.create(Echo)

    assert stat.S_IMODE(run_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(echo.addressDetails.path).stat().st_mode) & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_not_listened_to_even_where_the_folder_lets_him_in(system: System, run_dir: Path) -> None:
    echo = system.create(Echo)
    path = Path(echo.addressDetails.path)
    path.chmod(0o777)
    for folder in (run_dir, *run_dir.parents):
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(0o755)
    pid = os.fork()
    if pid == 0:  # he
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with deliver(path, pickle.dumps("evil")) as intruder:
                status = 0 if intruder.recv(1) == b"" else 2
        except (ConnectionResetError, BrokenPipeError):
            status = 0
        finally:
            os._exit(status)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert isinstance(system.ask(echo, Say(), 60), Said)
    log = run_dir.parent / "logs" / "thespian.log"
    eventually(lambda: "refused a connection from another user" in log.read_text(), "the refusal is in the log")


def test_the_kernel_is_asked_who_connects_before_a_byte_is_read(
    box: Inbox, poller: Poller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exploded.clear()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)  # so that this very process is another user

    with deliver(tmp_path / "box", pickle.dumps(Bomb())) as intruder:
        read_all(box, poller)

        with suppress(ConnectionResetError):
            assert intruder.recv(1) == b""
    assert not exploded
    assert not box.messages


def test_the_same_user_is_listened_to(box: Inbox, poller: Poller, tmp_path: Path) -> None:
    with deliver(tmp_path / "box", pickle.dumps("hello")) as sender:
        read_all(box, poller)

        assert sender.recv(1) == TAKEN
    assert messages(box) == [("me", "hello")]


def test_what_cannot_be_read_is_answered_so_and_harms_nothing_else(box: Inbox, poller: Poller, tmp_path: Path) -> None:
    with deliver(tmp_path / "box", b"no pickle") as sender:
        sender.sendall(frame(pickle.dumps("hello")))
        read_all(box, poller)

        assert sender.recv(2) == UNREADABLE + TAKEN
    assert messages(box) == [("me", "hello")]


@pytest.mark.parametrize("cut", range(1, len(HELLO) + len(frame(pickle.dumps("hello")))))
def test_a_message_may_come_in_any_two_parts(box: Inbox, poller: Poller, tmp_path: Path, cut: int) -> None:
    data = pickle.dumps("hello")
    with deliver(tmp_path / "box", data, cut=cut) as sender:
        read_all(box, poller)
        assert not box.messages
        sender.sendall((HELLO + frame(data))[cut:])
        read_all(box, poller)

        assert sender.recv(1) == TAKEN
    assert messages(box) == [("me", "hello")]


def test_half_a_message_whose_sender_dies_is_dropped(box: Inbox, poller: Poller, tmp_path: Path) -> None:
    deliver(tmp_path / "box", pickle.dumps("hello"), cut=len(HELLO) + 12).close()
    read_all(box, poller)

    assert not box.messages
    assert len(box) == 0
