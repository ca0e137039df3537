from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from squad import launcher
from squad.errors import NotRunningError, UsageError, WaitTimeoutError
from squad.launcher import stopping
from tests.running import RunningSquad, eventually


def napping(squad: RunningSquad) -> str:
    """A message whose handler runs until ``wake``."""
    task = squad.send("sleeper", "nap", {"until": str(squad.home.parent / "morning")})
    eventually(lambda: squad.tree()["sleeper"]["current"], "the handler runs")
    return task


def wake(squad: RunningSquad) -> None:
    (squad.home.parent / "morning").touch()


def test_where_nothing_runs_there_is_nothing_to_stop_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError):
        launcher.stop(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_without_a_launcher_is_not_a_squad(tmp_path: Path) -> None:
    (tmp_path / "launcher.lock").write_text('{"pid": 1, "created": 0, "name": "old"}')
    with pytest.raises(NotRunningError):
        launcher.stop(tmp_path, force=True)


def test_two_stops_at_once_both_wait_and_neither_forces(squad: RunningSquad) -> None:
    with squad:
        task = napping(squad)
        environment = {**os.environ, "SQUAD_HOME": str(squad.home)}
        command = [sys.executable, "-m", "squad.cli", "stop"]
        one = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        eventually(lambda: '"stopping": true' in (squad.home / "launcher.lock").read_text(), "the first is heard")
        two = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            two.wait(0.5)
        wake(squad)
        for process in (one, two):
            _, error = process.communicate(timeout=60)
            assert process.returncode == 0, error
            assert "stopped" in error
        assert squad.task(task)["status"] == "completed"


def test_it_waits_only_so_long_and_the_squad_goes_on_stopping(squad: RunningSquad) -> None:
    with squad:
        task = napping(squad)
        with pytest.raises(WaitTimeoutError, match="goes on stopping"):
            launcher.stop(squad.home, timeout=0.3)
        wake(squad)
        assert squad.wait_stopped() == 0
        assert squad.task(task)["status"] == "completed"


def test_force_does_not_wait_and_names_what_is_unfinished(squad: RunningSquad) -> None:
    with squad:
        task = napping(squad)
        told = squad.cli("stop", "--force").stderr
        assert task in told or "1 unfinished" in told
        assert squad.wait_stopped() == 0


def test_force_ends_a_frozen_launcher_and_all_with_it(squad: RunningSquad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "FORCED_WITHIN", 1.0)
    with squad:
        squad.wait(squad.send("sleeper", "leave"))
        squad.launcher.send_signal(signal.SIGSTOP)
        stopped = launcher.stop(squad.home, force=True)
        assert stopped.forced
        assert stopped.leftovers >= 1
        assert squad.processes() == {}


def test_agents_alone_must_be_agents(tmp_path: Path, config: Path) -> None:
    with pytest.raises(UsageError) as refused:
        launcher.start(config, tmp_path / "home", agents=["sleeper", "sleepr"])
    assert [str(problem) for problem in refused.value.problems] == [
        "--agents: there is no agent or convoy 'sleepr' (did you mean 'sleeper'?)"
    ]
    assert not (tmp_path / "home").exists()
