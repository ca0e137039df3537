from __future__ import annotations

import pytest

from squad.benchmark.document import Document, Measurement
from squad.benchmark.numbers import Figures


def measured(name: str, agents: int, operations: int, *found: Figures) -> Measurement:
    return Measurement.of(name, agents, operations, found)


def document(*measurements: Measurement, **settings: object) -> Document:
    machine = {"cores": 2, "cpu": "a cpu", "memory_bytes": 8_000_000_000, "kernel": "6.1", "load_before": 0.1}
    versions = {"squad": "0.1.0", "python": "CPython 3.11.7", "sqlite": "3.46.0", "packages": {"peewee": "4.0"}}
    return Document(
        "2026-01-05T09:00:00.000Z", 12.5, machine, versions, {"synchronous": "FULL", **settings}, measurements, []
    )


@pytest.fixture
def whole() -> Document:
    """One with everything that a picture shows."""
    figures = {
        "messages_per_second": 5000.0,
        "exchange_per_second": 3000.0,
        **{
            f"{what}_{rank}_ms": 1.5
            for what in ("agent", "outside", "list", "show", "depth", "write")
            for rank in ("p50", "p99")
        },
        "cpu_percent": 30.0,
        "memory_mb": 300.0,
        "agent_memory_mb": 8.0,
        "queue_depth_p95": 2.0,
    }
    costs = {"messages_per_second": 9000.0, "cpu_us": 120.0, "storage_cpu_us": 60.0, "agents_cpu_us": 30.0}
    return document(
        measured("throughput", 4, 20_000, costs, {**costs, "messages_per_second": 16_000.0}, costs),
        measured("sizes", 1, 100, figures),
        measured("sizes", 100, 10, figures),
        measured("sizes", 100, 200, {**figures, "messages_per_second": 7000.0}),
    )
