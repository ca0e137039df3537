from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from squad.store.metrics import Summary
from squad.store.writer import Writer
from tests.store.metrics.points import write

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z, a full hour
MINUTE, HOUR = 60, 3600


Fill = Callable[..., None]


@pytest.fixture
def fill(writer: Writer, path: Path) -> Fill:
    """Writes points by hand: ``fill("handling_ms", "histogram", {(60, NOW): Summary.observed((1, 2))}, agent="a")``."""

    def by_hand(
        name: str,
        kind: str,
        points: dict[tuple[int, float], Summary],
        agent: str = "a",
        type: str = "",  # noqa: A002
    ) -> None:
        write(path, name, kind, points, agent, type)

    return by_hand
