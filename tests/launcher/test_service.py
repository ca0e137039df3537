"""What a service manager hears of a squad: through a real socket, as systemd has one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.home import Home
from squad.launcher import service
from squad.launcher.service import Service
from tests.running import RunningSquad, eventually


class Manager:
    """The other end: every line that was said, in order. Read as it comes: the kernel keeps ten datagrams, no more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._heard: list[str] = []
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        while said := self._socket.recv(1 << 16):
            self._heard.extend(said.decode().split("\n"))

    def heard(self) -> list[str]:
        return list(self._heard)

    def forget(self) -> None:
        """What has been heard; what is on its way is still to come."""
        self._heard.clear()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RD)
        self._reader.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with closing(Manager(tmp_path / "notify")) as made:
        yield made


def environment(manager: Manager, watchdog: float | None = None) -> dict[str, str]:
    lasts = {} if watchdog is None else {"WATCHDOG_USEC": str(int(watchdog * 1_000_000))}
    return {"NOTIFY_SOCKET": str(manager.path), **lasts}


CONFIG = """
agents:
  teller: {class: "./agents.py:Teller"}
supervision: {shutdown: 10m}
"""
AGENTS = """
import os
from squad import Agent, Context, handles, message

@message("tell")
class Tell:
    pass

class Teller(Agent):
    @handles(Tell)
    def tell(self, msg: Tell, ctx: Context) -> list[str]:
        return sorted(os.environ)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "agents.py").write_text(AGENTS)
    path = tmp_path / "squad.yaml"
    path.write_text(CONFIG)
    return path


def test_a_squad_says_that_it_is_ready_well_and_stops(tmp_path: Path, config: Path, manager: Manager) -> None:
    with RunningSquad(tmp_path / "home", config, env=environment(manager, watchdog=0.6)) as squad:
        eventually(lambda: "READY=1" in manager.heard(), "ready")
        assert "STATUS=every agent is ready" in manager.heard()
        manager.forget()
        eventually(lambda: manager.heard().count("WATCHDOG=1") >= 2, "it goes on saying that it is well")
        told = squad.send("teller", "tell")
        squad.wait(told)
        variables = json.loads(squad.task(told)["result"])
        assert "PATH" in variables
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & set(variables)  # no agent speaks for the squad
        assert "READY=1" not in manager.heard()
        manager.forget()
        os.kill(squad.launcher.pid, signal.SIGTERM)
        eventually(lambda: "STOPPING=1" in manager.heard(), "it stops")
        (more,) = [line for line in manager.heard() if line.startswith("EXTEND_TIMEOUT_USEC=")]
        assert int(more.partition("=")[2]) > 600 * 1_000_000  # what the configuration allows handlers
        assert squad.wait_stopped() == 0


def test_a_stuck_supervisor_is_not_well_and_a_dead_one_is_replaced(
    tmp_path: Path, config: Path, manager: Manager
) -> None:
    patient = CONFIG.replace("{shutdown: 10m}", "{shutdown: 10m, health: {hung_after: 10m}}")
    config.write_text(patient)  # or the launcher may end it first
    with RunningSquad(tmp_path / "home", config, env=environment(manager, watchdog=0.3)) as squad:
        eventually(lambda: "READY=1" in manager.heard(), "ready")
        manager.forget()
        (pid,) = squad.pids("supervisor")
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: "STATUS=waiting for supervisor" in manager.heard(), "it does not answer")
        manager.forget()
        eventually(lambda: squad.health() is not None, "asked once more, and heard after the gateway's own patience")
        assert "WATCHDOG=1" not in manager.heard()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: "STATUS=starting everything again" in manager.heard(), "it is")
        eventually(
            lambda: manager.heard()[-1] == "WATCHDOG=1" and "STATUS=every agent is ready" in manager.heard(), "well"
        )
        assert "READY=1" not in manager.heard()  # that is said once


class Gateway:
    """What asks it is answered with one document, in two pieces."""

    def __init__(self, home: Path, answer: dict[str, Any]) -> None:
        home.mkdir()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(home / "control.sock"))
        self._socket.listen()
        self.answer = answer

    def serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            connection.recv(1 << 16)
            text = b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(self.answer).encode()
            connection.sendall(text[:30])
            connection.sendall(text[30:])

    def close(self) -> None:
        self._socket.close()


def test_an_agent_that_never_becomes_ready_does_not_hold_up_the_service_for_ever(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_PATIENCE", 0.5)
    answer = {
        "waiting_for": ["b", *(f"c-{n}" for n in range(9))],
        "failed": [{"name": "a\n", "error": "x"}],
        "frozen": {},
    }
    with closing(Gateway(tmp_path / "home", answer)) as gateway:
        told = Service(Home(tmp_path / "home"), environment(manager))

        def states() -> list[str]:
            return [line for line in manager.heard() if line.startswith("STATUS=")]

        def started() -> bool:
            told.attend()
            if told.descriptor is not None:
                gateway.serve()
            return "READY=1" in manager.heard() and bool(states())

        eventually(started, "started all the same")
        told.abandon()
    assert states() == [
        "STATUS=frozen: squad thaw lets it go on; failed: a\\n; waiting for b, c-0, c-1, c-2, c-3 and 5 more"
    ]


def test_what_the_manager_had_no_room_for_is_said_again(tmp_path: Path) -> None:
    with (
        closing(Gateway(tmp_path / "home", {"waiting_for": []})) as gateway,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        told = Service(Home(tmp_path / "home"), {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as others, pytest.raises(BlockingIOError):
            others.setblocking(False)
            while True:
                others.sendto(b"of others", str(tmp_path / "notify"))
        heard: list[bytes] = []

        def ready() -> bool:
            told.attend()
            if told.descriptor is not None:
                gateway.serve()
                told.attend()  # there was no room for what it says to that, in the first round
            with contextlib.suppress(BlockingIOError):
                while True:
                    heard.append(manager.recv(1 << 16))
            return b"READY=1" in heard

        eventually(ready, "ready, as soon as there is room")
        told.abandon()
        assert heard.index(b"STATUS=every agent is ready") < heard.index(b"READY=1")


def test_nobody_listens_and_nobody_asked(tmp_path: Path) -> None:
    alone = Service(Home(tmp_path), {})
    assert (alone.due, alone.descriptor) == (None, None)
    alone.attend()
    alone.starting_again()
    alone.stopping(1.0)
    deaf = Service(Home(tmp_path), {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_PID": "1"})
    deaf.attend()  # there is no gateway
    assert deaf.descriptor is None
    assert deaf.due is not None
    deaf.stopping(1.0)
    assert deaf.due is None
