"""The programs that measure metrics do their work; what they find on a quiet machine is in docs/performance.md."""

from __future__ import annotations

from pathlib import Path

from tests.benchmark import metrics_cost, metrics_size


def test_cost_of_the_store(tmp_path: Path) -> None:
    pairs = metrics_cost.store(tmp_path, 10, 4, 2)
    assert len(pairs) == 2
    assert all(figure > 0 for pair in pairs for figure in pair)
    assert metrics_cost.row("store", "µs", pairs).count("|") == 7
    assert list(tmp_path.iterdir()) == []


def test_size(tmp_path: Path) -> None:
    days = list(metrics_size.live(tmp_path / "squad.db", 1, 3, 50))
    (day,) = days
    assert day.points[60][1] > day.points[600][1] > 0
    assert day.total > 0
    assert metrics_size.table(days, 5).count("\n") == 2
