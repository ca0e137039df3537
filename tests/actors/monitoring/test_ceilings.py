"""Ceilings of memory and CPU: what the readings say, and what becomes of real processes that break them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.monitoring.ceilings import Ceiling, Ceilings, Verdict
from tests.running import RunningSquad, eventually

MB = 1_000_000


def verdicts(
    ceiling: Ceiling, readings: list[tuple[float, int]], *, window: float = 10.0, apart: float = 1.0
) -> list[list[bool]]:
    """For each reading (CPU percent, bytes) what is said: True for over, False for near."""
    ceilings = Ceilings(window)
    return [
        [verdict.over for verdict in ceilings.look("w", ceiling, cpu, memory, apart * number)]
        for number, (cpu, memory) in enumerate(readings)
    ]


def test_memory_near_its_ceiling_is_told_once_and_two_readings_over_it_break_it() -> None:
    sizes = [50, 85, 90, 101, 90, 101, 102]

    assert verdicts(Ceiling(memory=100 * MB), [(0, size * MB) for size in sizes]) == [
        [],
        [False],
        [],
        [],
        [],
        [],
        [True],
    ]


def test_what_was_calm_again_is_told_again() -> None:
    sizes = [85, 60, 85]

    assert verdicts(Ceiling(memory=100 * MB), [(0, size * MB) for size in sizes]) == [[False], [], [False]]


def test_cpu_counts_on_average_over_the_whole_window() -> None:
    told = verdicts(Ceiling(cpu=50), [(90, 0)] * 12)

    assert told.index([False]) == 3  # a quarter of ten seconds, in readings of one
    assert told.index([True]) == 10
    assert verdicts(Ceiling(cpu=50), [(90, 0), (0, 0)] * 20) == [[]] * 40


def test_the_sentence_names_what_it_takes_and_its_ceiling() -> None:
    ceilings = Ceilings(1)

    ceilings.look("w", Ceiling(memory=MB, cpu=1.0), 0, 0, 0)
    said = [verdict.what for verdict in ceilings.look("w", Ceiling(memory=MB, cpu=1.0), 50, 900_000, 1)]

    assert said == [
        "it has 1 MB of memory; its ceiling is 1 MB",
        "it used 50 % of a core over 1 s; its ceiling is 1 %",
    ]


def test_what_ended_is_forgotten() -> None:
    ceilings = Ceilings(10)
    ceilings.look("w", Ceiling(memory=MB), 0, 2 * MB, 0)
    ceilings.forget("w")

    assert ceilings.look("w", Ceiling(memory=MB), 0, 2 * MB, 1) == [
        Verdict(False, "it has 2 MB of memory; its ceiling is 1 MB")
    ]


@given(st.lists(st.tuples(st.floats(0, 400), st.integers(0, 200 * MB)), max_size=60))
def test_nobody_is_ended_who_keeps_to_his_ceilings(readings: list[tuple[float, int]]) -> None:
    kept = [(min(cpu, 100.0), min(memory, 100 * MB)) for cpu, memory in readings]

    assert not any(over for said in verdicts(Ceiling(100 * MB, 100.0), kept) for over in said)


AGENTS = """
import subprocess, sys, time
from squad import Agent, Context, handles, message

@message("take")
class Take:
    megabytes: int = 0
    seconds: float = 0.0
    below: bool = False

TAKE = "data = bytearray({} * 1000000); data[::4096] = b'x' * len(data[::4096]); import time; time.sleep(600)"

class Eater(Agent):
    @handles(Take)
    def take(self, msg: Take, ctx: Context) -> str:
        if msg.below:
            subprocess.run([sys.executable, "-c", TAKE.format(msg.megabytes)])
        data = bytearray(msg.megabytes * 1_000_000)
        data[::4096] = b"x" * len(data[::4096])
        until = time.monotonic() + msg.seconds
        while time.monotonic() < until:
            if msg.megabytes:
                time.sleep(0.01)
        return "fed"
"""

CONFIG = """
types: {run: {fields: {}}}
monitor: {interval: 200ms, cpu_window: 1s}
agents:
  fat: {class: "./agents.py:Eater", max_memory_mb: 200, retry: {max_attempts: 1}}
  hot: {class: "./agents.py:Eater", max_cpu_percent: 30, retry: {max_attempts: 1}}
  brisk: {command: [PYTHON, -ISc, "import time\\nwhile time.process_time() < 0.15: pass"], handles: [run],
          max_cpu_percent: 10}
  free: {class: "./agents.py:Eater"}
  fat-2: {class: "./agents.py:Eater"}
"""


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder = tmp_path_factory.mktemp("ceilings")
    (folder / "agents.py").write_text(AGENTS)
    (folder / "squad.yaml").write_text(CONFIG.replace("PYTHON", sys.executable))
    with RunningSquad(folder / "home", folder / "squad.yaml") as made:
        yield made


@pytest.mark.parametrize(
    ("agent", "payload", "why"),
    [
        ("fat", {"megabytes": 300, "seconds": 600}, "of memory; its ceiling is 200 MB"),
        ("fat", {"megabytes": 300, "below": True}, "of memory; its ceiling is 200 MB"),
        ("hot", {"seconds": 600}, "its ceiling is 30 %"),
    ],
    ids=["memory", "memory-below", "cpu"],
)
def test_a_process_that_breaks_its_ceiling_is_ended_and_comes_back(
    squad: RunningSquad, agent: str, payload: dict[str, object], why: str
) -> None:
    (before,) = squad.pids(agent)

    task = squad.send(agent, "take", payload)
    squad.wait(task)

    row = squad.task(task)
    assert row["status"] == "failed"
    assert why in row["error_message"]
    assert _fed(squad, agent)
    assert squad.pids(agent) != [before]
    eventually(
        lambda: not [pid for pid, line in squad.processes().items() if "bytearray" in line], "nothing is left of it"
    )
    events = eventually(lambda: _events(squad, agent), "the event is recorded")
    assert why in events[-1]["reason"]


def test_commands_that_are_shorter_than_a_reading_count_too(squad: RunningSquad) -> None:
    def broken() -> list[dict[str, str]]:
        squad.wait(squad.send("brisk", "run"))
        return _events(squad, "brisk")

    assert "its ceiling is 10 %" in eventually(broken, "so many of them are too much")[0]["reason"]


@pytest.mark.parametrize("agent", ["free", "fat-2"], ids=["", "called like a worker of another one"])
def test_who_has_no_ceiling_takes_what_it_needs(squad: RunningSquad, agent: str) -> None:
    assert _fed(squad, agent, megabytes=300, seconds=1.5)


def _fed(squad: RunningSquad, agent: str, **payload: float) -> bool:
    task = squad.send(agent, "take", payload)
    squad.wait(task)
    return bool(squad.task(task)["result"] == '"fed"')


def _events(squad: RunningSquad, agent: str) -> list[dict[str, str]]:
    rows = squad.query("SELECT detail FROM events WHERE kind = 'over_ceiling' AND subject = ? ORDER BY id", agent)
    return [json.loads(row[0]) for row in rows]
