"""Metrics in a real store, written by hand."""

from __future__ import annotations

import time
from pathlib import Path

from squad.store.metrics import Summary
from tests.store.metrics.points import write


def minute(ago: int = 0) -> int:
    """When a minute of the last ones began; 0: this one."""
    return int(time.time()) // 60 * 60 - 60 * ago


def measured(  # noqa: PLR0917 - a row of the table
    database: Path,
    name: str,
    kind: str,
    points: dict[int, Summary],
    agent: str = "",
    type: str = "",  # noqa: A002
) -> None:
    """``points``: by when a minute began."""
    write(database, name, kind, {(60, start): summary for start, summary in points.items()}, agent, type)


def a_busy_squad(database: Path) -> None:
    """Two agents that handled messages of two types in the last minutes, and a convoy."""
    for agent, type_name, times in (
        ("scanner", "scan", [10.0] * 9 + [900.0]),
        ("checker", "check", [2000.0] * 10),
        ("checker", "ping", [1.0] * 100),
    ):
        measured(database, "handling_ms", "histogram", {minute(1): Summary.observed(times)}, agent, type_name)
        measured(database, "waiting_ms", "histogram", {minute(1): Summary.observed([5.0, 40.0])}, agent, type_name)
        measured(database, "completed", "counter", {minute(1): Summary.counted(len(times))}, agent, type_name)
    for agent in ("scanner", "checker"):
        measured(database, "queue_depth", "gauge", {minute(2): Summary.gauged(3), minute(1): Summary.gauged(7)}, agent)
    measured(database, "convoy_size", "gauge", {minute(1): Summary.gauged(4)}, "checker")
    measured(database, "machine_cpu_percent", "gauge", {minute(1): Summary.gauged(34.5)})
    measured(database, "pages_read", "counter", {minute(1): Summary.counted(3, 17.5)}, "scanner")
