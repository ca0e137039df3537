"""What ``squad top`` sees, as a test says."""

from __future__ import annotations

from typing import Any

from squad.cli.snapshot import Snapshot
from squad.cli.top.rates import Rates
from squad.cli.top.readings import Latency, Look, Percentiles
from tests.cli.a_tree import row, tree

SLOW = Latency(Percentiles(10.0, 900.0, 4200.0), Percentiles(1.0, 65_000.0, 70_000.0))
QUICK = Latency(Percentiles(0.2, 0.4, 1.0), None)


def look(document: dict[str, Any] | None = None, note: str = "", **fields: Any) -> Look:
    """By default of the squad of ``a_tree``, in which the checkers are busy."""
    found = document or tree()
    rates = Rates()
    for number in range(30):
        rates = rates.after(1.0, 12 + number, {"checker": 8, "checker-1": 8, "scanner": 4 + number}, 1.0)
    values: dict[str, Any] = {
        "at": 1_780_000_000.0,
        "snapshot": Snapshot(found["squad"], found["taken_at"], found["actors"], note),
        "totals": {"queued": 1204, "running": 3, "failed": 2, "completed": 99},
        "rates": rates,
        "latencies": {"checker": SLOW, "scanner": QUICK},
        "cpu_percent": 34.0,
        "memory_percent": 71.0,
        "cpu_line": [30.0, 34.0],
        "memory_line": [70.0, 71.0],
        "queue_line": [1000.0, 1204.0],
    }
    return Look(**values | fields)


def crowd(count: int) -> dict[str, Any]:
    """A tree with so many agents."""
    rows = [row("supervisor", "supervisor", parent=None, state="ready")]
    rows += [
        row(f"agent-{n:03d}", queue_depth=n, cpu_percent=float(n % 97), memory_bytes=n * 1_000_000)
        for n in range(count)
    ]
    return tree() | {"actors": rows}
