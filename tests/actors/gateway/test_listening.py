from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from squad.actors.gateway import listening
from squad.actors.gateway.listening import listen
from squad.errors import HomeError, StartError
from squad.home import Home


@pytest.fixture
def long_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with TemporaryDirectory() as runtime:  # pytest's own folders are long
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        made = tmp_path / ("x" * 100)
        made.mkdir(mode=0o700)
        yield made


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def test_it_is_for_its_owner_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        with listen(home):
            found = (home / "control.sock").stat()
            assert stat.S_IMODE(found.st_mode) == 0o600 and stat.S_ISSOCK(found.st_mode)
            assert connects(home / "control.sock")
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert [path.name for path in home.iterdir()] == ["control.sock"]


def test_a_dead_gateways_socket_is_replaced(home: Path) -> None:
    listen(home).close()
    assert not connects(home / "control.sock")
    (home / "control.new").touch()  # it died while it began
    with listen(home):
        assert connects(home / "control.sock")


def test_a_living_gateways_socket_is_not_stolen(home: Path) -> None:
    with listen(home) as first:
        inode = (home / "control.sock").stat().st_ino
        with pytest.raises(StartError, match="another gateway still listens"):
            listen(home)
        assert (home / "control.sock").stat().st_ino == inode
        first.listen(0)  # one that takes no connections any more is living as well
        waiting = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(3)]
        full = 0
        for client in waiting:
            try:
                client.connect(str(home / "control.sock"))
            except BlockingIOError:
                full += 1
        assert full
        with pytest.raises(StartError):
            listen(home)
        for client in waiting:
            client.close()


def test_a_long_home_is_reached_by_another_path(long_home: Path) -> None:
    with listen(long_home):
        path = Home(long_home).socket()
        assert path != long_home / "control.sock"
        assert connects(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE((long_home / "control.path").stat().st_mode) == 0o600
        with pytest.raises(StartError):
            listen(long_home)
    with listen(long_home):
        assert connects(path)


def test_a_socket_is_removed_at_the_end(home: Path, long_home: Path) -> None:
    for place in (home, long_home):
        with listen(place):
            path = Home(place).socket()
            listening.remove(place)
            assert not path.exists() and not connects(path)
            assert list(place.iterdir()) == []
            listening.remove(place)


def test_two_long_homes_have_two_sockets(long_home: Path) -> None:
    other = long_home.with_name("y" * 100)
    other.mkdir(mode=0o700)
    with listen(long_home), listen(other):
        assert Home(long_home).socket() != Home(other).socket()


def test_a_path_that_no_longer_holds_is_removed(home: Path) -> None:
    (home / "control.path").write_text("/nowhere/else.sock\n")
    with listen(home):
        assert Home(home).socket() == home / "control.sock"


def test_a_folder_that_others_can_enter_is_not_used(long_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.environ["XDG_RUNTIME_DIR"]) / "squad"
    folder.mkdir()
    folder.chmod(0o755)
    monkeypatch.setattr(listening, "_TEMPORARY", long_home.parent / "file")
    (long_home.parent / "file").touch()
    with pytest.raises(HomeError, match="too long for a socket"):
        listen(long_home)
