"""The launcher's life with a real squad: stops, kills, two of them, and what is left afterwards."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from squad.home import Home
from tests.running import RunningSquad, eventually

from .conftest import write_config


def logged(squad: RunningSquad, name: str = "launcher") -> str:
    return (squad.home / "logs" / f"{name}.jsonl").read_text()


def busy(squad: RunningSquad, task: str) -> bool:
    return bool(squad.task(task)["status"] == "running" and squad.tree()["sleeper"]["current"])


def test_it_says_what_runs_shows_the_logs_and_stops_with_status_0(squad: RunningSquad) -> None:
    with squad:
        eventually(lambda: " sleeper " in squad.output(), "a line of the agent's log")
        assert squad.stop(signal.SIGINT) == 0
    output = squad.output()
    assert f"dormitory: 1 agent, from {squad.config}" in output
    assert f"its home is {squad.home}; to look at it: squad inspect\n" in output
    assert output.endswith("squad: stopped\n")
    assert "\x1b" not in output, "colour in a file"
    assert not (squad.home / "control.sock").exists()
    assert (squad.home / "launcher.lock").read_bytes() == b""


def test_ctrl_c_lets_a_running_handler_finish(squad: RunningSquad, tmp_path: Path) -> None:
    with squad:
        task = squad.send("sleeper", "nap", {"until": str(tmp_path / "morning")})
        eventually(lambda: busy(squad, task), "the handler runs")
        squad.launcher.send_signal(signal.SIGINT)
        eventually(lambda: "stopping" in logged(squad), "it is heard")
        (tmp_path / "morning").touch()
        assert squad.wait_stopped() == 0
        assert squad.task(task)["status"] == "completed"
    assert json.loads((squad.home / "last_stop.json").read_text())["unfinished"] == []


def test_a_second_ctrl_c_stops_at_once_and_names_what_is_unfinished(squad: RunningSquad) -> None:
    with squad:
        task = squad.send("sleeper", "nap", {"seconds": 600})
        eventually(lambda: busy(squad, task), "the handler runs")
        squad.launcher.send_signal(signal.SIGINT)
        eventually(lambda: "stopping" in logged(squad), "the first is heard")
        assert squad.stop(signal.SIGINT) == 0
    named = f"unfinished, and queued again: sleeper {task} (nap)"
    assert named in squad.output() or "not everything stopped in time" in squad.output()  # the machine held it up
    assert squad.task(task)["status"] in ("queued", "running"), "not lost, and not done"


def test_the_grace_is_a_bound(tmp_path: Path) -> None:
    squad = RunningSquad(tmp_path / "home", write_config(tmp_path, shutdown="1s"))
    with squad:
        task = squad.send("sleeper", "nap", {"seconds": 600})
        eventually(lambda: busy(squad, task), "the handler runs")
        began = time.monotonic()
        assert squad.stop() == 0
        assert time.monotonic() - began > 0.9
    assert json.loads((squad.home / "last_stop.json").read_text())["unfinished"][0]["id"] == task


def test_a_frozen_supervisor_does_not_hold_up_the_end(squad: RunningSquad) -> None:
    with squad:
        squad.kill("supervisor", signal.SIGSTOP)
        squad.launcher.send_signal(signal.SIGQUIT)
        assert squad.wait_stopped() == 0
    assert "stopped at once" in squad.output()


def test_what_an_agent_left_running_is_ended(squad: RunningSquad) -> None:
    with squad:
        task = squad.send("sleeper", "leave")
        squad.wait(task)
        pid = int(squad.task(task)["result"])
        assert psutil.pid_exists(pid)
        squad.stop()
        assert not psutil.pid_exists(pid)
    assert "ended what agents had left running (1 process)" in logged(squad)


def test_nothing_is_left_of_a_squad_whose_launcher_was_killed(squad: RunningSquad) -> None:
    with squad:
        assert len(squad.processes()) >= 6
        squad.launcher.kill()
        squad.launcher.wait()
        squad.assert_nothing_left()
        squad.start()
        assert squad.stop() == 0


def test_everything_is_gone_soon_after_the_launchers_death(squad: RunningSquad) -> None:
    with squad:
        squad.wait(squad.send("sleeper", "leave"))
        squad.launcher.kill()
        squad.launcher.wait()
        squad.assert_nothing_left()


def kill_with_the_warden(squad: RunningSquad) -> None:
    """So that nobody ends what the agents started."""
    squad.stop_the_launcher_and_kill_the_warden()
    squad.launcher.kill()
    squad.launcher.wait()


def test_what_outlives_a_killed_launcher_is_ended_by_stop_and_by_start(squad: RunningSquad) -> None:
    with squad:
        for _ in range(2):
            squad.wait(squad.send("sleeper", "leave"))
        kill_with_the_warden(squad)
        eventually(lambda: len(squad.processes()) == 2, "only what the agent started is left")
        told = json.loads(squad.cli("stop", "-o", "json").stdout)
        assert (told["forced"], told["leftovers"]) == (True, 2)
        assert squad.processes() == {}
        squad.cli("stop", status=3)

        squad.start()
        squad.wait(squad.send("sleeper", "leave"))
        kill_with_the_warden(squad)
        squad.start()
        eventually(lambda: "ended what was left over from a killed squad" in squad.output(), "it is told")


@pytest.mark.parametrize("root", ["supervisor", "admin"])
def test_the_tree_comes_back_when_a_root_is_killed(squad: RunningSquad, root: str) -> None:
    with squad:
        health = squad.health()
        assert health is not None
        before, pids = health["pid"], set(squad.processes())
        task = squad.send("sleeper", "nap", {"seconds": 0.5})
        victim = before if root == "supervisor" else psutil.Process(before).ppid()
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: (squad.health() or {}).get("pid", before) not in (before, None), "another supervisor")
        squad.wait_ready()
        squad.wait(task)
        assert squad.task(task)["status"] == "completed"
        assert set(squad.processes()) & pids == {squad.launcher.pid}
    assert "starting everything again in 200ms" in logged(squad)


def test_a_stop_while_the_tree_is_down_needs_no_tree(squad: RunningSquad) -> None:
    with squad:
        health = squad.health()
        assert health is not None
        os.kill(health["pid"], signal.SIGKILL)
        squad.launcher.send_signal(signal.SIGTERM)
        assert squad.wait_stopped() == 0


def test_a_second_start_is_refused_and_names_the_first(squad: RunningSquad) -> None:
    with squad:
        refused = squad.cli("start", "--config", str(squad.config), status=1)
        assert f"a squad already runs in {squad.home}: dormitory (process {squad.launcher.pid}" in refused.stderr
        assert str(squad.config) in refused.stderr
        assert "squad stop" in refused.stderr
        squad.wait(squad.send("sleeper", "nap", {"seconds": 0}))


def test_two_homes_live_side_by_side(tmp_path: Path, config: Path) -> None:
    with RunningSquad(tmp_path / "one", config) as one, RunningSquad(tmp_path / "one-too", config) as two:
        assert one.launcher.pid != two.launcher.pid
        kept = set(two.processes())
        one.launcher.kill()
        one.launcher.wait()
        one.assert_nothing_left()
        one.start()  # ends leftovers of its own home only
        assert set(two.processes()) == kept
        two.wait(two.send("sleeper", "nap", {"seconds": 0}))


@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.1), (signal.SIGINT, 0.3), (signal.SIGTERM, 0.6)]
)
def test_an_interruption_while_it_starts_leaves_nothing(
    squad: RunningSquad, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, moment: float
) -> None:
    """``moment``: seconds after the launcher has taken the signals over."""
    monkeypatch.setattr(squad, "wait_ready", lambda timeout: None)
    with squad:
        lock = squad.home / "launcher.lock"
        eventually(lambda: lock.exists() and lock.read_bytes(), "the launcher says who it is")
        with pytest.raises(subprocess.TimeoutExpired):
            squad.launcher.wait(moment)
        assert squad.stop(number) == 0
        squad.assert_nothing_left()


def test_a_newer_database_is_refused_before_anything_runs(squad: RunningSquad) -> None:
    with squad:
        squad.stop()
    with closing(sqlite3.connect(squad.home / "squad.db")) as database, database:
        database.execute("INSERT INTO schema_version VALUES (99, 'later', '2030-01-01T00:00:00Z')")
    refused = squad.cli("start", "--config", str(squad.config), status=1)
    assert "was written by a newer Squad" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_closing_the_terminal_stops_it(tmp_path: Path, config: Path) -> None:
    home = Home(tmp_path / "home")
    master, slave = os.openpty()
    launcher = subprocess.Popen(
        [
            "/usr/bin/setsid",
            "--ctty",
            sys.executable,
            "-m",
            "squad.cli",
            "--home",
            home.path,
            "start",
            "--config",
            config,
        ],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    try:
        shown = b""
        while b"sleeper" not in shown:
            shown += os.read(master, 4096)
        assert b"\x1b[" in shown, "colour on a terminal"
        assert home.launcher() is not None
    finally:
        os.close(master)
        assert launcher.wait(120) == 0
    assert home.launcher() is None
    assert json.loads(home.last_stop.read_text())["forced"] is False


def test_a_class_that_does_not_import_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text("import nothing_of_that_name\n")
    config = tmp_path / "squad.yaml"
    config.write_text("agents: {a: {class: './agents.py:A'}}\n")
    refused = RunningSquad(tmp_path / "home", config).cli("start", "--config", str(config), status=4)
    assert "agents.py:1" in refused.stderr
    assert "nothing_of_that_name" in refused.stderr
    assert not (tmp_path / "home").exists()
