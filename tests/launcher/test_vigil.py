from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.launcher.vigil import EVERY, Vigil
from tests.running import eventually

START = 1000.0  # seconds; any


@pytest.fixture
def runner() -> Iterator[int]:
    """A process that runs a hundred times a second."""
    command = ["sh", "-c", "while :; do sleep 0.01; done"]
    with subprocess.Popen(command, start_new_session=True) as process:
        yield process.pid
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[int, int | None]:
    """What the kernel says of processes; of one that is not there it says nothing."""
    counts: dict[int, int | None] = {1: 7}
    monkeypatch.setattr("squad.launcher.vigil._runs", counts.get)
    return counts


def looks(vigil: Vigil, seconds: float, hung_after: float) -> list[float]:
    """What the looks of so many seconds found."""
    return [vigil.look(START + (n + 1) * EVERY, hung_after) for n in range(int(seconds / EVERY))]


def test_one_that_stands_still_is_found_after_its_time(runs: dict[int, int | None]) -> None:
    vigil = Vigil(1, START)
    runs[1] = 8
    assert looks(vigil, 45, hung_after=30) == [0] * 6 + [30, 35, 40]


def test_a_moment_means_nothing_however_impatient_the_configuration_is(runs: dict[int, int | None]) -> None:
    vigil = Vigil(1, START)
    runs[1] = 8
    assert looks(vigil, 20, hung_after=0.1) == [0, 0, 10, 15]


def test_one_that_has_run_meanwhile_is_well(runs: dict[int, int | None]) -> None:
    vigil = Vigil(1, START)
    runs[1] = 8
    assert looks(vigil, 25, hung_after=30) == [0] * 5
    runs[1] = 9
    assert vigil.look(START + 30, 30) == 0
    assert vigil.look(START + 35, 30) == 0


def test_when_the_look_itself_is_late_nothing_counts(runs: dict[int, int | None]) -> None:
    vigil = Vigil(1, START)
    runs[1] = 8
    assert vigil.look(START + EVERY, 30) == 0
    assert vigil.look(START + 3600, 30) == 0
    assert vigil.look(START + 3600 + EVERY, 30) == 0


def test_where_the_kernel_does_not_say_it_is_for_others_to_notice(runs: dict[int, int | None]) -> None:
    assert looks(Vigil(2, START), 60, hung_after=1) == [0] * 12  # it is gone
    assert looks(Vigil(1, START), 60, hung_after=1) == [0] * 12  # some kernels show a number that never changes


def test_a_real_process_that_runs_now_and_then_is_well(runner: int) -> None:
    def count() -> str:
        return Path(f"/proc/{runner}/status").read_text().partition("voluntary_ctxt_switches:")[2]

    vigil = Vigil(runner, START)
    for n in range(1, 10):
        before = count()
        eventually(lambda before=before: count() != before, "it has run")
        assert vigil.look(START + n * EVERY, 1) == 0
