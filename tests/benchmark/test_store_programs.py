"""The programs that measure the store alone do their work; how fast it is, is not asked here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark import commits, depth


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
