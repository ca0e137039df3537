"""A running actor system for each test that wants one; nothing of it is left afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.actors.transport import System, lanes, open_system
from tests.actors.transport.watching import sockets_in


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "home" / "run"


@pytest.fixture
def idle_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are closed as soon as nobody uses them, in a system that is opened after this."""
    monkeypatch.setattr(lanes, "IDLE", 0.05)


@pytest.fixture
def system(run_dir: Path) -> Iterator[System]:
    system = open_system(run_dir)
    try:
        yield system
    finally:
        assert system.close(timeout=30)
    assert sockets_in(run_dir) == []
