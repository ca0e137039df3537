"""A running actor system, or lanes without one, for each test that wants it; nothing of it is left afterwards."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from squad.actors.transport import System, open_system
from squad.actors.transport import lanes as module
from squad.actors.transport.inbox import Inbox
from squad.actors.transport.lanes import Lanes
from squad.actors.transport.poller import Poller
from tests.actors.transport.laning import HELLO, Listen, Run
from tests.actors.transport.watching import sockets_in
from tests.running import eventually


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "home" / "run"


@pytest.fixture
def idle_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are closed as soon as nobody uses them, in a system that is opened after this."""
    monkeypatch.setattr(module, "IDLE", 0.05)


@pytest.fixture
def system(run_dir: Path) -> Iterator[System]:
    system = open_system(run_dir)
    try:
        yield system
    finally:
        assert system.close(timeout=30)
    assert sockets_in(run_dir) == []


@pytest.fixture
def poller() -> Iterator[Poller]:
    poller = Poller()
    yield poller
    poller.close()


@pytest.fixture
def lanes(poller: Poller) -> Iterator[Lanes]:
    lanes = Lanes(HELLO, poller)
    yield lanes
    lanes.close()


@pytest.fixture
def box(tmp_path: Path, poller: Poller) -> Iterator[Inbox]:
    box = Inbox(str(tmp_path / "box"), poller)
    yield box
    box.close()


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Listen]:
    """Make a target that only listens: as a process that is stopped, or busy."""
    sockets = []

    def make(name: str, backlog: int = 100) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(30)
        listener.bind(str(tmp_path / name))
        listener.listen(backlog)
        sockets.append(listener)
        return listener

    yield make
    for each in sockets:
        each.close()


@pytest.fixture
def run(lanes: Lanes, poller: Poller) -> Run:
    """The loop of an owner, until something is so."""

    def once(until: Callable[[], object]) -> object:
        lanes.flush()
        poller.wait(0)
        lanes.attend()
        return until()

    return lambda until: eventually(lambda: once(until), "what the lanes were run for")
