"""What the supervisor does about the monitor's news."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

from squad.actors.protocol import Machine, Throttle
from squad.actors.supervision.strain import Strain


def test_a_new_monitor_ends_the_throttle_of_the_one_before() -> None:
    """It starts without any, so it has no change to tell of."""
    told: list[Any] = []
    noted: list[str] = []
    journal = SimpleNamespace(record=lambda _: None, note=lambda happened: noted.append(happened.kind))
    storage = SimpleNamespace(ready=True, address=None)
    life: Any = SimpleNamespace(journal=journal, storage=storage, config=SimpleNamespace(name="squad"), children={})
    strain = Strain(life, lambda _, msg: told.append(msg), logging.getLogger("test"))

    assert strain.read(Machine((90.0, 95.0, 0, 9, 5.0), "memory is over 85 %"))
    assert not strain.read(Machine((90.0, 95.0, 0, 9, 5.0)))
    assert strain.read(Machine((10.0, 20.0, 0, 9, 0.0)))
    assert not strain.read(Machine((10.0, 20.0, 0, 9, 0.0)))

    assert told == [Throttle(5.0), Throttle(0.0)]
    assert noted == ["overloaded", "relieved"]
    assert strain.throttled[0] == 0
