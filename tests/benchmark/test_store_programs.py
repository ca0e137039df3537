"""The programs that measure the store alone do their work; how fast it is, is not asked here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark import commits, depth, upkeep


def test_depth(tmp_path: Path) -> None:
    found = depth.measure(tmp_path, 300, 400, 2)
    assert next(iter(found)) == "empty"
    assert len({frozenset(figures) for figures in found.values()}) == 1
    assert "| squad status |" in depth.table(found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_commits(tmp_path: Path, synchronous: commits.Synchronous) -> None:
    _, group, rate, used, *spread = commits.work(tmp_path / "squad.db", synchronous, 10, 4, 0.1)
    assert group == 10
    assert rate > 0
    assert used > 0
    assert spread == sorted(spread)


def test_upkeep(tmp_path: Path) -> None:
    found = upkeep.measure(tmp_path, 200, 40, 1, 0.3)
    assert found["maintenance"]["archived"] == 200
    assert all(figures["messages"] > 0 for figures in found.values())
    assert "| backups |" in upkeep.table(found)
