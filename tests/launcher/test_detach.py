"""``squad start --detach``: returns when all is ready, or says why not and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from squad.home import Home
from tests.running import RunningSquad, eventually

BROKEN = """
import time

from squad import Agent, handles, message


@message("go")
class Go:
    pass


class Willing(Agent):
    @handles(Go)
    def go(self, msg, ctx):
        pass


class Broken(Willing):
    def __init__(self):
        raise RuntimeError("there is no key")


class Slow(Willing):
    def __init__(self):
        time.sleep(600)
"""

# The command line; once it has told what it waits for, a minute passes at once.
IMPATIENT = """
import sys, time
from types import SimpleNamespace
from squad.cli import main
from squad.launcher import program, ready

passed = 0.0

def say(text, tell=program.say):
    global passed
    tell(text)
    if text == "waiting for slow":
        passed = 60.0

program.say = say
ready.time = SimpleNamespace(monotonic=lambda: time.monotonic() + passed, sleep=time.sleep)
sys.exit(main())
"""


def write(folder: Path, *classes: str) -> Path:
    (folder / "broken.py").write_text(BROKEN)
    agents = "".join(f"  {name.lower()}: {{class: './broken.py:{name}'}}\n" for name in classes)
    config = folder / "squad.yaml"
    config.write_text(f"agents:\n{agents}supervision:\n  restarts: {{intensity: 0}}\n")
    return config


def test_it_returns_when_all_is_ready_and_the_squad_stays(squad: RunningSquad) -> None:
    try:
        done = squad.cli("start", "--config", str(squad.config), "--detach")
        assert done.stdout == ""
        assert f"dormitory runs in the background: process {pid(squad)}, home {squad.home}" in done.stderr
        health = squad.health()
        assert health is not None
        assert health["ready"]
        assert os.getsid(pid(squad)) == pid(squad), "a session of its own"
        assert Path(f"/proc/{pid(squad)}/fd/0").readlink() == Path("/dev/null")
        squad.wait(squad.send("sleeper", "nap", {"seconds": 0}))
        assert squad.cli("start", "--config", str(squad.config), "--detach", status=1).stderr.count("already runs") == 1
        assert "stopped" in squad.cli("stop").stderr
        squad.assert_nothing_left()
        assert (squad.home / "logs" / "launcher.out").read_text() == "squad: stopped\n"
    finally:
        squad.end_everything()


def test_it_lets_go_of_what_its_caller_had_open(squad: RunningSquad, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "squad.cli", "start", "--config", str(squad.config), "--detach"]
    try:
        subprocess.run(command, env=squad._env, cwd=tmp_path, pass_fds=[writer], timeout=120, check=True)
        os.close(writer)
        os.set_blocking(reader, False)
        assert os.read(reader, 1) == b"", "the end: nobody else has it"
        squad.cli("stop")
    finally:
        os.close(reader)
        squad.end_everything()


def test_the_launcher_is_not_started_by_hand() -> None:
    command = [sys.executable, "-m", "squad.launcher"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "squad: the launcher is started by another program\nsquad:   hint: squad start\n"


def pid(squad: RunningSquad) -> int:
    holder = Home(squad.home).launcher()
    assert holder is not None
    assert holder.pid is not None
    return holder.pid


def test_an_agent_that_cannot_start_is_named_with_its_error(tmp_path: Path) -> None:
    squad = RunningSquad(tmp_path / "home", write(tmp_path, "Willing", "Broken"))
    try:
        done = squad.cli("start", "--config", str(squad.config), "--detach", status=1)
        assert "not every agent was ready" in done.stderr
        assert "broken: " in done.stderr
        assert "there is no key" in done.stderr
        assert "willing" not in done.stderr.replace("waiting for", "").split("not every agent")[1]
        assert "Traceback" not in done.stderr
        squad.assert_nothing_left()
    finally:
        squad.end_everything()


def test_an_agent_that_is_not_ready_in_time_is_named(tmp_path: Path) -> None:
    squad = RunningSquad(tmp_path / "home", write(tmp_path, "Willing", "Slow"))
    command = [sys.executable, "-c", IMPATIENT, "start", "--config", str(squad.config), "--detach"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=squad._env, cwd=tmp_path, timeout=120, check=False
        )
        assert done.returncode == 1
        assert "waiting for slow" in done.stderr, "progress"
        assert "slow: is not ready" in done.stderr
        squad.assert_nothing_left()
    finally:
        squad.end_everything()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_it_waits_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    squad = RunningSquad(tmp_path / "home", write(tmp_path, "Slow"))
    command = [sys.executable, "-m", "squad.cli", "start", "--config", str(squad.config), "--detach"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=squad._env, cwd=tmp_path)
    try:
        eventually(lambda: (squad.health() or {}).get("waiting_for") == ["slow"], "it waits for the agent")
        process.send_signal(number)
        error = process.communicate(timeout=120)[1]
        assert process.returncode == 130, error
        squad.assert_nothing_left()
    finally:
        squad.end_everything()


def test_a_launcher_that_ends_early_says_why(squad: RunningSquad) -> None:
    squad.home.mkdir(mode=0o700)
    (squad.home / "run").write_text("in the way")
    try:
        done = squad.cli("start", "--config", str(squad.config), "--detach", status=1)
        assert "ended while it was starting, with exit status 1" in done.stderr
        assert "the folder for sockets cannot be used" in done.stderr
        assert "Traceback" not in done.stderr
        assert squad.processes() == {}
    finally:
        squad.end_everything()


def test_a_home_with_a_long_path_works(tmp_path: Path, config: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    squad = RunningSquad(folder / "home", config)
    try:
        squad.cli("start", "--config", str(config), "--detach")
        elsewhere = Home(squad.home).socket()
        assert elsewhere.parent != squad.home
        squad.wait(squad.send("sleeper", "nap", {"seconds": 0}))
        squad.cli("stop")
        assert not elsewhere.exists()
        squad.assert_nothing_left()
    finally:
        squad.end_everything()
