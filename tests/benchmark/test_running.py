"""The measurements, at the smallest scale, on real squads. They judge no speed: machines differ."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.benchmark import memory, running
from squad.benchmark.agents import ping
from squad.benchmark.load import evenly, one_by_one, wait, warm_up
from squad.benchmark.processes import AGENTS, cpu_seconds, pss, roles
from squad.benchmark.scale import Scale, Size
from squad.benchmark.squads import squad_of
from squad.errors import StartError, UsageError
from tests.running import eventually

TINY = Scale(
    sizes=(Size(2, 5),),
    messages=100,
    producer_agents=1,
    exchange_agents=2,
    latency_agents=1,
    rate=50,
    seconds=0.4,
    many=5,
    idle_agents=1,
    idle_seconds=0.2,
    settling=0.0,
    tries=1,
)
RANKS = ("p50_ms", "p95_ms", "p99_ms", "max_ms")


def test_every_measurement_gives_its_figures(tmp_path: Path) -> None:
    said: list[str] = []
    found = running.run(TINY, running.steps(TINY, tmp_path), tmp_path, 1, said.append)
    assert not found.failures
    assert not list(tmp_path.iterdir())
    figures = {(m.name, figure): values[0] for m in found.measurements for figure, values in m.figures.items()}
    assert tuple(m.name for m in found.measurements) == running.NAMES
    assert all(value >= 0 for value in figures.values())
    for name, prefixes in {
        "throughput": ["half"],
        "exchange": ["half"],
        "latency": ["agent", "outside"],
        "sizes": ["agent", "outside", "list", "show", "depth", "write"],
    }.items():
        for prefix in prefixes:
            ranks = [figures[name, f"{prefix}_{rank}"] for rank in RANKS]
            assert ranks == sorted(ranks)
            assert ranks[0] > 0
    few, ready, many = (figures["many", f"{name}_mb"] for name in ("few", "ready", "many"))
    assert 0 < few < many
    assert 0 < ready < 2 * many  # before its messages, when few has had its own
    assert figures["many", "each_further_agent_mb"] == pytest.approx(many - few, abs=0.001)
    assert figures["many", "ready_seconds"] > 0
    assert figures["throughput", "cpu_us"] >= figures["throughput", "storage_cpu_us"] > 0
    assert figures["sizes", "memory_mb"] > 3 * figures["sizes", "agent_memory_mb"] > 0
    assert 0 < figures["recovery", "median_seconds"] <= figures["recovery", "slowest_seconds"]
    for name, figure in (("commands", "commands_per_second"), ("shell", "send_seconds")):
        assert figures[name, figure] > 0
    assert found.settings["sizes"] == ["2 x 5"]
    assert f"[1/{len(running.NAMES)}] throughput, 1 agent" in said


def test_one_that_fails_is_told_of_and_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> dict[str, float]:
        raise StartError("no room")

    said: list[str] = []
    todo = [running.Step("idle", 1, 0, fails), running.Step("shell", 1, 1, lambda: {"send_seconds": 0.5})]
    found = running.run(TINY, todo, None, 2, said.append)
    assert [dataclasses.astuple(failure) for failure in found.failures] == [("idle", 1, 0, "no room")]
    assert [dict(m.figures) for m in found.measurements] == [{"send_seconds": [0.5, 0.5]}]
    assert "it failed: no room" in [line.strip() for line in said]


def test_a_misspelt_measurement_is_named() -> None:
    with pytest.raises(UsageError, match="no measurement is called 'trougput'") as error:
        running.steps(TINY, None, ["trougput"])
    assert "throughput" in error.value.hint
    assert [step.name for step in running.steps(TINY, None, ["shell", "idle"])] == ["idle", "shell"]


def test_a_squad_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="has ended by itself"), squad_of(1, tmp_path, sections={"agents": 5}):
        pass
    assert not list(tmp_path.iterdir())


def test_an_even_rate_is_kept_and_all_of_it_is_recorded(tmp_path: Path) -> None:
    with squad_of(2, tmp_path) as squad:
        warm_up(squad, 2)
        processes = roles(squad)
        assert sorted(processes.values()).count(AGENTS) == 2
        assert all(pss(pid) > 0 and cpu_seconds(pid) > 0 for pid in processes if processes[pid] == AGENTS)
        assert evenly(squad, 600, 0.5, lambda number, moment: ping(number % 2, moment)) <= 600
        wait(squad)
        assert len(squad.moments.new()) == 300
        assert squad.moments.new() == []
        assert evenly(squad, 10, 0.5, lambda number, moment: ping(number % 2, moment)) <= 10
        wait(squad)
        assert len(squad.moments.new()) == 5


def test_what_is_late_counts_from_when_it_was_due() -> None:
    moments: list[float] = []

    def send(number: int, moment: float) -> None:
        moments.append(moment)
        if number == 0:
            eventually(lambda: time.monotonic() > moment + 0.2, "late")

    one_by_one(3, 100.0, send)
    assert moments[2] - moments[1] == pytest.approx(0.01)


def test_memory_over_rounds_of_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SETTLING", 0.0)
    said: list[str] = []
    readings = list(memory.measure([2], 2, 20, tmp_path, said.append))
    assert said == ["2 agents, 2 runs of 20 messages"]
    assert {reading.run for reading in readings} == {1, 2}
    agents = [reading for reading in readings if reading.role == AGENTS]
    assert [reading.processes for reading in agents] == [2, 2]
    assert agents[0].after_mb == agents[1].before_mb
    for reading in readings:
        assert reading.peak_mb >= max(reading.before_mb, reading.after_mb) > 0
    every = [reading for reading in readings if reading.role == memory.ALL]
    assert every[0].after_mb == pytest.approx(sum(r.after_mb for r in readings if r.run == 1 and r.role != memory.ALL))
    assert all(role.finding.slope is None for role in memory.by_role(readings, 20))


class TestEnds:
    """However the program ends, no squad of it is left."""

    @pytest.fixture
    def program(self, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
        """A benchmark whose squad has come up."""
        words = ["benchmark", "run", "--only", "idle", "--folder", str(tmp_path), "--quick", "--repeat", "100"]
        with subprocess.Popen(
            [sys.executable, "-m", "squad.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                eventually(lambda: list(tmp_path.glob("squad-benchmark-*/home/squad.db")), "a squad")
                yield process
            finally:
                process.kill()
                eventually(lambda: not squads(tmp_path), "no process is left")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_by_a_signal_that_it_hears(
        self, program: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
    ) -> None:
        program.send_signal(number)
        out, err = program.communicate(timeout=60)
        assert (program.returncode, out) == (130, "")
        assert "Traceback" not in err
        assert not squads(tmp_path)
        assert not list(tmp_path.iterdir())

    def test_by_one_that_it_does_not_hear(self, program: subprocess.Popen[str], tmp_path: Path) -> None:
        assert squads(tmp_path)
        program.kill()
        eventually(lambda: not squads(tmp_path), "no process is left")


def squads(folder: Path) -> list[int]:
    """The processes of all squads below ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"SQUAD_MARK={folder}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # it ended, or it is another user's
    return [pid for pid in found if pid != os.getpid()]
