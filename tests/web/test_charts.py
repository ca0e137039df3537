"""A chart's data for the moment they are asked for."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from squad.clock import Clock
from squad.config.schema import SquadConfig, StoreConfig
from squad.store.writer import Writer
from squad.web.charts import series
from tests.web.stand_ins import gate_of

MINUTE = 1_790_000_040.0  # a full one


class _At(Clock):
    def __init__(self, now: float) -> None:
        self._now = now

    def time(self) -> float:
        return self._now


@pytest.mark.parametrize(("passed", "last"), [(0, -60), (5, -60), (29, -60), (30, 0), (59, 0)])
def test_a_minute_is_drawn_once_its_counts_have_come(tmp_path: Path, passed: int, last: int) -> None:
    path = tmp_path / "squad.db"
    with closing(Writer(path, StoreConfig())):
        gate = gate_of(path, SquadConfig(name="stand-in"), clock=_At(MINUTE + passed))
        found = series(gate, {"chart": "throughput", "span": "1h"})
        gate.pool.close()
    assert found["x"][-1] == MINUTE + last
    assert all(len(line["y"]) == len(found["x"]) for line in found["lines"])
