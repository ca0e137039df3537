"""What is wrong is said before anything is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from squad.actors import limits
from squad.benchmark import preflight
from squad.benchmark.machine import file_system, machine, versions
from squad.errors import StartError, UsageError


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    preflight.check_output(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
    for path, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "gone" / "a.json", "there is no folder"),
        (Path("/proc/a.json"), "cannot be written"),
    ):
        with pytest.raises(UsageError, match=words):
            preflight.check_output(path)


def test_a_folder_for_the_squads_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder in which something can be made") as error:
        preflight.check(1, tmp_path / "gone", None)
    assert "--folder DIR" in error.value.hint


def test_too_few_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.resource, "prlimit", lambda pid, which: (300, 300))
    with pytest.raises(StartError, match="squads of 200 agents") as error:
        preflight.check_limits(200)
    assert "ulimit -n" in str(error.value.problems[0])


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_EACH", 1e15)
    with pytest.raises(StartError, match="GB of memory"):
        preflight.check_limits(2)


def test_the_machine_and_the_versions_are_told() -> None:
    told = machine(None)
    assert told["cores"] >= 1
    assert told["memory_bytes"] > 1e8
    assert told["cpu"]
    assert file_system(Path("/proc")) == "proc"
    assert {"thespian", "peewee"} <= set(versions()["packages"])
