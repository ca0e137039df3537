"""Steady load leaves nothing behind: the judge of the soak, and a short soak of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.soak import judge, run, table


def readings(name: str, *values: float) -> list[tuple[float, dict[str, float]]]:
    return [(float(number), {name: value}) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("name", "values", "flat"),
    [
        ("files of gateway", [20, 30, 25, 24, 26, 25, 24, 25, 26, 25], True),
        ("files of gateway", [20, 30, 40, 50, 60, 70, 80, 90, 100, 110], False),
        ("threads of storage", [2, 2, 2, 2, 2, 3, 2, 2, 2, 2], True),
        ("threads of storage", [2, 4, 6, 8, 10, 12, 14, 16, 18, 20], False),
        ("memory of storage", [20e6, 60e6, 80e6, 81e6, 80e6, 81e6, 80e6, 81e6, 80e6, 81e6], True),  # it has warmed up
        ("memory of storage", [20e6 + 8e6 * number for number in range(10)], False),
        ("processes", [15, 16, 15, 15, 14, 15, 15, 15, 16, 15], True),
        ("processes", list(range(15, 25)), False),
        ("entries of home", list(range(40, 140, 10)), False),
        ("bytes of logs", [1e5, 2e5, 3e5, 3e5, 2e5, 3e5, 3e5, 2e5, 3e5, 3e5], True),
        ("bytes of log ahead", [4e6 * number for number in range(1, 11)], False),
        ("bytes a message", [700, 500, 430, 429, 430, 430, 431, 430, 430, 430], True),
        ("bytes a message", [400 + 40 * number for number in range(10)], False),
    ],
)
def test_what_counts_as_flat(name: str, values: list[float], flat: bool) -> None:
    (line,) = judge(readings(name, *values))
    assert line.flat is flat
    assert ("GROWS" in table([line])) is not flat


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_soak(tmp_path: Path) -> None:
    """``python -m tests.faults.soak`` runs a longer one."""
    outcome = run(tmp_path, 300, say=print)
    print(outcome.text())
    assert (outcome.growing, outcome.lost) == ([], 0), outcome.text()
    assert set(outcome.ended) == {"completed"}
