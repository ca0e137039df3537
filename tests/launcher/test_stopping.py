from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from squad import launcher
from squad.errors import NotRunningError, UsageError, WaitTimeoutError
from squad.launcher import stopping
from tests.running import RunningSquad, eventually


def napping(squad: RunningSquad) -> str:
    """A message whose handler runs until ``wake``."""
    task = squad.send("sleeper", "nap", {"until": str(squad.home.parent / "morning")})
    eventually(lambda: squad.tree()["sleeper"]["current"], "the handler runs")
    return task


def waits(pid: int) -> bool:
    """Whether a process sleeps in poll, as one that waits for another's end does."""
    return "poll" in Path(f"/proc/{pid}/wchan").read_text(encoding="ascii")


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
        for process in (one, two):
            eventually(lambda pid=process.pid: waits(pid), "it has said what it has to say, and waits")  # type: ignore[misc]
        wake(squad)
        for process in (one, two):
            _, error = process.communicate(timeout=60)
            assert process.returncode == 0, error
            assert "stopped" in error
        assert squad.task(task)["status"] == "completed"


def test_nor_do_many_in_the_same_moment(squad: RunningSquad) -> None:
    with squad:
        task = napping(squad)
        together = threading.Barrier(8)

        def forced() -> bool:
            together.wait(60)
            try:
                return launcher.stop(squad.home).forced
            except NotRunningError:  # it came when all was over
                return False

        with ThreadPoolExecutor(8) as threads:
            stops = [threads.submit(forced) for _ in range(8)]
            eventually(lambda: '"stopping": true' in (squad.home / "launcher.lock").read_text(), "it is heard")
            wake(squad)
            assert not any(each.result(120) for each in stops)
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
        held_up = "not everything stopped in time" in squad.output()  # by the machine: then it cannot be named
        assert task in told or "1 unfinished" in told or held_up
        assert squad.wait_stopped() == 0


def test_force_ends_a_frozen_launcher_and_all_with_it(squad: RunningSquad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "FORCED_WITHIN", 1.0)
    with squad:
        squad.wait(squad.send("sleeper", "leave"))
        squad.stop_the_launcher_and_kill_the_warden()  # which would be as quick to end what is left
        stopped = launcher.stop(squad.home, force=True)
        assert stopped.forced
        assert stopped.leftovers >= 1
        assert squad.processes() == {}


@pytest.mark.parametrize(
    ("agents", "problem"),
    [
        (["early", "sleepr"], "there is no agent or convoy 'sleepr' (did you mean 'sleeper'?)"),
        (["late", "sleeper"], "'sleeper' starts after 'early', which is left out (say early as well)"),
        (["late"], "'late' starts after 'sleeper', which is left out (say sleeper as well)"),
    ],
)
def test_agents_alone_must_be_agents_with_those_they_start_after(
    tmp_path: Path, config: Path, agents: list[str], problem: str
) -> None:
    settings = yaml.safe_load(config.read_text())
    sleeper = settings["agents"]["sleeper"]
    settings["agents"] = {"early": sleeper, "sleeper": {**sleeper, "after": ["early"]}, "late": sleeper}
    settings["supervision"]["groups"] = {"night": {"members": ["sleeper", "late"]}}
    config.write_text(yaml.safe_dump(settings))
    with pytest.raises(UsageError) as refused:
        launcher.start(config, tmp_path / "home", agents=agents)
    assert [str(each) for each in refused.value.problems] == [f"--agents: {problem}"]
    assert not (tmp_path / "home").exists()
