from __future__ import annotations

from pathlib import Path

import pytest

from tests.running import RunningSquad

AGENTS = '''
import os, subprocess, time
from pathlib import Path

from squad import Agent, Context, handles, message


@message("nap")
class Nap:
    seconds: float = 0.0
    until: str = ""
    """A file that somebody makes."""


@message("leave")
class Leave:
    """Start a process and leave it running."""


class Sleeper(Agent):
    @handles(Nap)
    def nap(self, msg: Nap, ctx: Context) -> str:
        time.sleep(msg.seconds)
        while msg.until and not Path(msg.until).exists():
            time.sleep(0.01)
        return "rested"

    @handles(Leave)
    def leave(self, msg: Leave, ctx: Context) -> int:
        nothing = subprocess.DEVNULL
        return subprocess.Popen(["sleep", "600"], stdin=nothing, stdout=nothing, stderr=nothing).pid
'''

CONFIG = """
name: dormitory
agents:
  sleeper:
    class: ./agents.py:Sleeper
supervision:
  shutdown: {shutdown}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A squad with one agent, ``sleeper``, which takes ``nap`` and ``leave``; at a stop handlers have longer than any
    test waits."""
    return write_config(tmp_path)


def write_config(folder: Path, shutdown: str = "10m") -> Path:
    (folder / "agents.py").write_text(AGENTS)
    path = folder / "squad.yaml"
    path.write_text(CONFIG.format(shutdown=shutdown))
    return path


@pytest.fixture
def squad(tmp_path: Path, config: Path) -> RunningSquad:
    """That squad, not started yet."""
    return RunningSquad(tmp_path / "home", config)
