"""Handlers that do everything they should not, one after the other in one squad: each message has its documented end,
the agent is there for the next one, and nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.wild import LINE, MANY
from tests.running import ROOT, RunningSquad, eventually

CONFIG = """
agents:
  wild: {class: "WILD:Wildling", send_rate: none, retry: {max_attempts: 2, backoff: 1ms}}
  slow: {class: "WILD:Wildling", send_rate: none, timeout: 1s, retry: {max_attempts: 2, backoff: 1ms}}
  good: {class: "AGENTS:Worker", send_rate: none}
supervision:
  restarts: {intensity: 1000, backoff: 1ms, cap: 5ms}
  health: {interval: 500ms, timeout: 1s, hung_after: 7s}
"""

# How -> the outcome of the first attempt, and a part of its error. The second attempt behaves and completes.
FAILS = {
    "exit-the-process": ("crash", "its process died"),
    "segfault": ("crash", "its process died"),
    "abort": ("crash", "its process died"),
    "kill-itself": ("crash", "its process died"),
    "terminate-itself": ("crash", "its process died"),
    "exit-the-interpreter": ("error", "SystemExit: 3"),
    "interrupt": ("error", "KeyboardInterrupt"),
    "generator-exit": ("error", "GeneratorExit"),
    "cancelled-error": ("error", "CancelledError"),
    "stop-iteration": ("error", "StopIteration"),
    "recurse": ("error", "RecursionError"),
    "memory": ("error", "MemoryError"),
    "base": ("error", "Own: of its own"),
    "unprintable": ("error", "Unprintable"),
    "surrogate-error": ("error", "half a character: \\ud800"),
    "long-error": ("error", "ValueError: xxx"),
    "nan": ("error", "not JSON compliant"),
    "data": ("error", "not JSON serializable"),
    "cycle": ("error", "Circular reference"),
    "surrogate": ("error", "surrogates not allowed"),
    "deep": ("error", "RecursionError"),
    "an-object": ("error", "not JSON serializable"),
    "keys": ("error", "keys must be"),
    "huge-integer": ("error", "4300 digits"),
    "nan-state": ("error", "not JSON compliant"),
    "huge-send": ("error", "larger than the limit"),
}
# How -> the result. These are allowed.
COMPLETES = {
    "grandchild": "left",
    "fork-and-raise": "parent",
    "fork-and-exit": "parent",
    "worker-pool": [1, 2],
    "thread": "left",
    "failing-thread": "went on",
    "fill-output": "printed",
    "change-folder": "changed",
    "own-words": "once",
}
# How, of the agent with a time-out -> as above.
HANGS = {
    "hang": ("timeout", "longer than its time-out of 1 s"),
    "hang-and-ignore": ("timeout", "longer than its time-out of 1 s"),
    "hang-deaf": ("hung", "hung: silent for"),
}


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("wild")
    with RunningSquad(folder / "home", _config(folder)) as made:
        yield made


def _config(folder: Path) -> Path:
    config = folder / "squad.yaml"
    agents = ROOT / "tests" / "actors" / "squads" / "agents.py"
    wild = ROOT / "tests" / "faults" / "wild.py"
    config.write_text(CONFIG.replace("WILD", str(wild)).replace("AGENTS", str(agents)))
    return config


def handled(squad: RunningSquad, how: str, agent: str = "wild") -> tuple[str, list[tuple[str, str]]]:
    """The result, and what became of the attempts before it."""
    task = squad.send(agent, "wild", {"how": how, "path": str(squad.home / "begun")})
    squad.wait(task)
    row = squad.task(task)
    assert row["status"] == "completed", row["error_message"]
    failures = squad.query("SELECT outcome, error FROM attempts WHERE task_row = ?", row["id"])
    assert row["attempts"] == len(failures) + 1
    return json.loads(row["result"]), [(failure["outcome"], failure["error"]) for failure in failures]


@pytest.mark.parametrize(("how", "agent"), [(how, "wild") for how in FAILS] + [(how, "slow") for how in HANGS])
def test_what_fails_is_an_attempt_and_the_next_one_completes(squad: RunningSquad, how: str, agent: str) -> None:
    outcome, text = {**FAILS, **HANGS}[how]
    result, ((found, error),) = handled(squad, how, agent)
    assert (result, found) == ("tame", outcome)
    assert text in error
    assert len(error) <= 8000
    (state,) = squad.query("SELECT state FROM agent_state WHERE agent = ?", agent) or [{"state": "{}"}]
    assert json.loads(state["state"]).get("touched") != how  # what it changed before went with it


@pytest.mark.parametrize("how", COMPLETES)
def test_what_is_allowed_completes(squad: RunningSquad, how: str) -> None:
    assert handled(squad, how) == (COMPLETES[how], [])


def test_of_a_handler_that_forks_one_process_goes_on(squad: RunningSquad) -> None:
    result, failures = handled(squad, "fork")
    assert failures == []
    pid = result["pid"]  # type: ignore[index]
    assert pid  # the parent's, not the child's
    eventually(lambda: pid not in squad.processes(), "the child has ended")


def test_the_others_have_noticed_nothing(squad: RunningSquad) -> None:
    """Last: what the handlers left running ends with the squad, which the fixture checks."""
    squad.wait(squad.send("good", "echo"))
    well = {"idle", "busy"}  # one that the machine held up for longer than a health check may last is shown as hung
    eventually(lambda: {(t := squad.tree())["wild"]["state"], t["slow"]["state"]} <= well, "both are there")
    handled(squad, "kill-itself")  # it may be the only test that runs here
    died = "SELECT DISTINCT subject FROM events WHERE kind = 'restarted' AND detail LIKE '%died%'"
    eventually(lambda: {row["subject"] for row in squad.query(died)} == {"wild"}, "it is noted, and nobody else is")


def test_a_terminal_that_nobody_reads_blocks_the_handler_that_fills_it_and_nobody_else(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    squad = Unread(tmp_path / "home", _config(tmp_path), writer)
    try:
        with squad:
            task = squad.send("slow", "wild", {"how": "fill-output"})
            squad.wait(squad.send("good", "echo"))
            squad.wait(task)
            row = squad.task(task)
            (failure,) = squad.query("SELECT outcome FROM attempts WHERE task_row = ?", row["id"])
            assert (row["status"], failure["outcome"]) == ("completed", "timeout")
            assert MANY * len(LINE) > 2**20  # more than any pipe holds
    finally:
        os.close(reader)
        os.close(writer)


class Unread(RunningSquad):
    """Its standard output is a pipe."""

    def __init__(self, home: Path, config: Path, writer: int) -> None:
        super().__init__(home, config)
        self._writer = writer

    def start(self, timeout: float = 60.0) -> None:
        command = [sys.executable, "-m", "squad.cli", "start", "--config", str(self.config)]
        self._launcher = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._writer,
            stderr=subprocess.DEVNULL,
            env=self._env,
            cwd=self.home.parent,
            start_new_session=True,
        )
        self.wait_ready(timeout)
