"""Command agents in real squads: however a command or its squad ends, nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.actors.agents.commanding import Squad, gone, make
from tests.running import eventually

ONE = """
types: {sh: {fields: {script: str}}}
agents:
  sh: {command: [sh, -c, "cd FOLDER; {payload[script]}"], handles: [sh], retry: {backoff: 10ms}}
supervision: {shutdown: 4s}
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Squad]]:
    """Start a squad for one test."""
    started: list[Squad] = []

    def start(text: str, **environment: str) -> Squad:
        started.append(make(tmp_path, text, **environment))
        return started[-1].__enter__()

    yield start
    for one in started:
        one.__exit__(None, None, None)


def test_a_program_that_vanishes_fails_the_start_of_the_agent(own, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho 1\n")
    tool.chmod(0o700)
    squad = own(
        "types: {t: {fields: }}\nagents: {a: {command: [./tool], handles: [t], restarts: {intensity: 0},\n"
        "  retry: {max_attempts: 1000, backoff: 200ms, cap: 200ms}}}\n"
    )
    assert json.loads(squad.run("a", "t")["result"]) == 1
    tool.rename(tmp_path / "elsewhere")
    task = squad.send("a", "t")
    error = eventually(lambda: squad.task(task)["error_message"], "a failed attempt")
    assert f"tool could not be started: {tool}: no such file" in error
    squad.kill("a")
    eventually(lambda: squad.tree().get("a", {}).get("state") == "quarantined", "quarantined")
    (tmp_path / "elsewhere").rename(tool)
    squad.cli("restart", "a")
    squad.wait(task)
    assert squad.task(task)["status"] == "completed"


@pytest.fixture(scope="module")
def sturdy(tmp_path_factory):
    """One squad for all tests after which it is as before."""
    text = ONE.replace("shutdown: 4s", "shutdown: 4s, restarts: {intensity: 50}")
    (sh,) = (line for line in text.splitlines() if line.startswith("  sh: {command"))
    hasty, patient = (sh.replace("{command", f"{{cancel_grace: {grace}, command", 1) for grace in ("700ms", "1m"))
    text = text.replace(sh, f"{hasty}\n{patient.replace('sh', 'patient', 1)}")
    with make(folder := tmp_path_factory.mktemp("sturdy"), text.replace("FOLDER", str(folder))) as squad:
        yield squad


@pytest.mark.parametrize("victim", ["agent", "nursery"])
def test_kill_9_in_the_middle_leaves_nothing_and_the_message_is_tried_again(sturdy, tmp_path, victim):
    squad = sturdy
    script = (
        f"cd {tmp_path}; echo $$ >> runs; [ $(wc -l < runs) -ge 2 ] && exit 0; "
        "setsid sh -c 'echo $$ > stray; trap \"\" TERM; sleep 300; sleep 300' & echo $$ > me; sleep 300"
    )
    task = squad.send("sh", "sh", {"script": script})
    pids = [squad.pid_in(tmp_path / "me"), squad.pid_in(tmp_path / "stray")]
    if victim == "agent":
        squad.kill("sh")
    else:
        [nursery] = [pid for pid, title in squad.processes().items() if title == "squad: sh: commands"]
        os.kill(nursery, signal.SIGKILL)
    eventually(lambda: all(map(gone, pids)), "the command and its grandchild are gone")
    squad.wait(task)
    row = squad.task(task)
    assert (row["status"], row["attempts"]) == ("completed", 2)
    assert squad.query("SELECT outcome FROM attempts WHERE task_row = ?", row["id"])[0][0] == "crash"
    assert len((tmp_path / "runs").read_text().splitlines()) == 2


def test_agent_and_nursery_killed_at_once_leave_nothing_to_the_next(sturdy, tmp_path):
    squad = sturdy
    script = f"cd {tmp_path}; echo $$ >> runs; [ $(wc -l < runs) -ge 2 ] && exit 0; echo $$ > me; sleep 300"
    task = squad.send("sh", "sh", {"script": script})
    me = squad.pid_in(tmp_path / "me")
    both = [pid for pid, title in squad.processes().items() if title in ("squad: sh", "squad: sh: commands")]
    assert len(both) == 2
    for pid in both:
        os.kill(pid, signal.SIGSTOP)
    for pid in both:
        os.kill(pid, signal.SIGKILL)
    squad.wait(task)
    assert squad.task(task)["attempts"] == 2
    assert gone(me)


def test_what_a_command_takes_of_the_machine_is_its_agents(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)) + "monitor: {interval: 100ms}\n")
    idle = eventually(lambda: squad.tree()["sh"]["memory_bytes"], "a reading")
    greedy = "x = bytearray(100_000_000)\nwhile True: pass"
    squad.send("sh", "sh", {"script": f"{sys.executable} -c '{greedy}' & wait"})
    row = eventually(
        lambda: (row := squad.tree()["sh"])["memory_bytes"] > idle + 100_000_000 and row["cpu_percent"] > 1 and row,
        "the command's memory and time",
    )
    assert row["memory_bytes"] < idle + 160_000_000
    squad.cli("stop", "--force")


@pytest.mark.parametrize("deaf", [False, True])
def test_a_cancelled_message_ends_its_command_and_the_agent_goes_on(sturdy, tmp_path, deaf):
    squad = sturdy
    name = "sh" if deaf else "patient"
    agent = squad.tree()[name]["pid"]
    trap = "trap '' TERM" if deaf else "trap 'touch told; exit 1' TERM"
    script = f"cd {tmp_path}; {trap}; setsid sleep 300 & echo $! > stray; echo $$ > me; while :; do sleep 0.05; done"
    task = squad.send(name, "sh", {"script": script})
    pids = [squad.pid_in(tmp_path / "me"), squad.pid_in(tmp_path / "stray")]
    squad.cli("message", "cancel", task)
    squad.wait(task)
    assert squad.task(task)["status"] == "cancelled"
    eventually(lambda: all(map(gone, pids)), "the command and its grandchild are gone")
    assert (tmp_path / "told").exists() is not deaf
    assert json.loads(squad.run(name, "sh", script="echo 1")["result"]) == 1
    assert squad.tree()[name]["pid"] == agent


def test_a_stop_lets_a_command_finish(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)).replace("shutdown: 4s", "shutdown: 40s"))
    task = squad.send("sh", "sh", {"script": "touch begun; sleep 0.7; echo 1"})
    eventually((tmp_path / "begun").exists, "begun")
    squad.stop()
    squad.assert_nothing_left()
    assert squad.task(task)["status"] == "completed"


def test_a_stop_ends_a_command_that_goes_on_and_names_it(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    script = "trap 'touch told; sleep 300' TERM; setsid sleep 300 & echo $$ > me; while :; do sleep 0.05; done"
    task = squad.send("sh", "sh", {"script": script})
    squad.pid_in("me")
    squad.stop()
    squad.assert_nothing_left()
    assert (tmp_path / "told").exists(), "it was not asked to end before it was killed"
    row = squad.task(task)
    assert (row["status"], row["attempts"]) == ("queued", 0)
    assert [item["id"] for item in json.loads((squad.home / "last_stop.json").read_text())["unfinished"]] == [task]


def test_a_stop_at_once_leaves_nothing(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    squad.send("sh", "sh", {"script": "(setsid sleep 300 &) ; echo $$ > me; sleep 300"})
    squad.pid_in("me")
    squad.cli("stop", "--force")
    squad.wait_stopped()
    squad.assert_nothing_left()


def test_the_death_of_the_launcher_leaves_nothing(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    squad.send("sh", "sh", {"script": "(setsid sleep 300 &) ; echo $$ > me; sleep 300"})
    squad.pid_in("me")
    squad.launcher.kill()
    squad.launcher.wait()
    squad.assert_nothing_left()


def test_200_runs_leave_no_descriptor_and_no_process(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    squad.run("sh", "sh", script="true")
    agent = psutil.Process(squad.tree()["sh"]["pid"])
    before = agent.num_fds(), agent.num_threads(), sorted(squad.processes().values())
    tasks = squad.send_batch(
        [{"recipient": "sh", "type": "sh", "payload": {"script": "echo 1; echo 2 >&2"}} for _ in range(200)]
    )
    for task in tasks:
        squad.wait(task)
    assert squad.counts() == {("sh", "completed"): 201}
    assert (agent.num_fds(), agent.num_threads(), sorted(squad.processes().values())) == before
    assert not [child for child in agent.children(recursive=True) if child.status() == psutil.STATUS_ZOMBIE]
