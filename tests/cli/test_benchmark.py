"""What ``squad benchmark`` prints, of measurements that measure nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from squad.benchmark.document import Document
from squad.benchmark.memory import Reading
from squad.benchmark.running import Step
from squad.errors import StartError
from tests.benchmark.conftest import document, measured
from tests.cli.conftest import Run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "today.json"
    write(path, 3.0)
    return path


def write(path: Path, seconds: float) -> Document:
    made = document(
        measured("many", 200, 1, {"ready_seconds": seconds}),
        measured("idle", 50, 0, {"core_percent": 3.0}),
        measured("latency", 10, 1000, {"agent_p99_ms": 2.5, "outside_sent_per_second": 100.0}),
    )
    made.write(path)
    return made


class TestRun:
    @pytest.fixture(autouse=True)
    def _nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes = {"messages_per_second": 1234.0, "agent_p99_ms": 1.25, "write_p99_ms": 2.5}
        values = iter([2.0, 1.0, 3.0])
        steps = [Step("shell", 1, 10, lambda: {"send_seconds": next(values)}), Step("sizes", 10, 50, lambda: sizes)]
        monkeypatch.setattr("squad.benchmark.running.steps", lambda *_: steps)

    def test_a_table_at_the_end_and_progress_before_it(self, run: Run, tmp_path: Path) -> None:
        result = run("benchmark", "run", "--repeat", "3", "--output", str(tmp_path / "b.json"))
        assert result.exit_code == 0
        lines = [line.split() for line in result.stdout.splitlines()]
        assert ["MEASUREMENT", "AGENTS", "FIGURE", "MEDIAN", "LOWEST", "HIGHEST", "UNIT"] in lines
        assert ["shell", "1", "send_seconds", "2.000", "1.000", "3.000", "s"] in lines
        assert ["10", "50", "1,234", "-", "-", "1.25", "-", "-"] in lines
        assert "[1/2] shell, 1 agent, run 2 of 3" in result.stderr
        assert f"squad benchmark report --file {tmp_path / 'b.json'}" in result.stderr
        assert run("benchmark", "report", "--file", str(tmp_path / "b.json")).exit_code == 0

    def test_what_is_wrong_is_said_before_anything_is_measured(self, run: Run, tmp_path: Path) -> None:
        for words, said in (
            (("--output", str(tmp_path)), "is a folder"),
            (("--folder", str(tmp_path / "gone")), "no folder in which something can be made"),
            (("--agents", "1,x"), "no list of numbers"),
            (("--agents", "0"), "no list of numbers"),
            (("--operations", "1,2"), "--operations has 2 numbers and --agents 4"),
        ):
            result = run("benchmark", "run", *words)
            assert (result.exit_code, result.stdout) == (2, ""), words
            assert said in result.stderr
            assert "[1/2]" not in result.stderr

    def test_what_could_not_be_measured_makes_it_fail(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails() -> dict[str, float]:
            raise StartError("no room")

        monkeypatch.setattr("squad.benchmark.running.steps", lambda *_: [Step("idle", 50, 0, fails)])
        result = run("benchmark", "run")
        assert result.exit_code == 1
        assert "it failed: no room" in result.stderr
        assert "not everything could be measured: idle" in result.stderr


class TestReport:
    def test_verdicts(self, run: Run, file: Path) -> None:
        lines = run("benchmark", "report", "--file", str(file)).stdout.splitlines()
        (ready,) = [line.split() for line in lines if line.startswith("200 agents ready")]
        assert ready[3:] == ["200", "3.000", "6", "-", "s", "met"]
        assert next(line for line in lines if line.startswith("50 idle agents")).endswith("missed")
        assert next(line for line in lines if line.startswith("100/s from an agent")).endswith("acceptable")
        assert next(line for line in lines if line.startswith("list of 100 work items")).endswith("not measured")

    def test_a_comparison(self, run: Run, file: Path) -> None:
        write(file.with_name("before.json"), 6.0)
        result = run("benchmark", "report", "--file", str(file), "--compare", str(file.with_name("before.json")))
        lines = [line.split() for line in result.stdout.splitlines()]
        assert ["many", "200", "1", "ready_seconds", "3.000", "6.000", "0.50", "s", "better"] in lines
        assert ["idle", "50", "0", "core_percent", "3.00", "3.00", "1.00", "%", "same"] in lines

    def test_a_picture(self, run: Run, file: Path) -> None:
        result = run("benchmark", "report", "--file", str(file), "--plot", "a.svg")
        assert result.exit_code == 0
        assert "drawn: a.svg" in result.stderr
        assert (file.parent / "a.svg").read_text().startswith("<?xml")

    def test_what_is_no_benchmark_is_one_error(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "cut.json").write_text('{"schema_version": 1, "kind": "squad benchmark", ')
        for words in (("cut.json",), ("gone.json",)):
            result = run("benchmark", "report", "--file", *words)
            assert (result.exit_code, result.stdout) == (2, "")
            assert result.stderr.startswith(f"squad: {words[0]} ")


class TestMemory:
    @pytest.fixture(autouse=True)
    def _nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        grows = [Reading(2, run, "storage", 1, 10.0, 40.0, 10.0 + 2 * run) for run in range(1, 11)]
        stays = [Reading(2, run, "agents", 2, 20.0, 22.0, 21.0) for run in range(1, 11)]
        monkeypatch.setattr("squad.benchmark.memory.measure", lambda *_: [*grows, *stays])

    def test_csv_and_what_leaks_in_words(self, run: Run) -> None:
        result = run("benchmark", "memory", "--agents", "2")
        rows = list(csv.DictReader(result.stdout.splitlines()))
        assert len(rows) == 20
        assert rows[0] == {
            "agents": "2",
            "run": "1",
            "role": "storage",
            "processes": "1",
            "before_mb": "10.000",
            "peak_mb": "40.000",
            "after_mb": "12.000",
            "each_mb": "12.000",
        }
        assert rows[-1]["each_mb"] == "10.500"
        assert (
            result.stderr == "2 agents: storage: a leak: +100 ± 0 bytes for each message, 8.0 MB over the last 5 runs\n"
        )

    def test_a_file_and_a_table(self, run: Run, tmp_path: Path) -> None:
        result = run("benchmark", "memory", "--agents", "2", "--output", "m.csv")
        assert len((tmp_path / "m.csv").read_text().splitlines()) == 21
        lines = [line.split() for line in result.stdout.splitlines()]
        assert ["2", "agents", "2", "20.0", "22.0", "21.0", "10.5", "+0"] in lines
        assert json.loads(run("benchmark", "memory", "-o", "json").stdout)["roles"][0]["leaks"] is True
