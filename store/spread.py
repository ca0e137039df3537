"""What is told of a histogram in documents: its percentiles, its extremes, how many values it has."""

from __future__ import annotations

from typing import Any

from squad.store.metrics import Summary


def percentiles(summary: Summary | None) -> dict[str, float | None]:
    """``{"p50", "p95", "p99"}``; all None where nothing was recorded, or what was has no percentiles."""
    return {
        name: None if summary is None else rounded(summary.percentile(q))
        for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


def spread(summary: Summary | None) -> dict[str, Any] | None:
    """``{"count", "mean", "least", "p50", "p95", "p99", "most"}``; None where nothing was recorded."""
    if summary is None or not summary.count:
        return None
    return {
        "count": summary.count,
        "mean": rounded(summary.mean),
        "least": rounded(summary.least),
        **percentiles(summary),
        "most": rounded(summary.most),
    }


def rounded(value: float | None) -> float | None:
    """To thousandths."""
    return None if value is None else round(value, 3)
