"""A squad of a thousand agents, and what a squad that does nothing does not do."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from squad.actors import limits
from squad.config.load import load
from tests.benchmark.crowd import everybody, idle, one_to_each, squad_of
from tests.running import RunningSquad, eventually

Start = Callable[[str], RunningSquad]
MANY = 1000


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_thousand_agents_start_answer_and_stop() -> None:
    with squad_of(MANY) as squad:
        squad.start(timeout=600)
        assert squad.config is not None
        needs = limits.needs_of(load(squad.config))
        here = everybody(squad.processes())
        assert len(here) == needs.processes
        assert max(each.descriptors for each in here.values()) <= needs.files
        one_to_each(squad, MANY)
        assert squad.counts() == {("clock", "completed"): MANY}
        assert squad.stop(timeout=600) == 0
        squad.assert_nothing_left()
        assert "unfinished" not in squad.output()


def test_an_idle_squad_is_hardly_ever_woken(start: Start) -> None:
    """Nothing polls: a look five times a second of any process would be seen here."""
    squad = start("agents:\n" + "".join(f"  w{n}: {{class: 'AGENTS:Worker'}}\n" for n in range(4)))
    # Right after the start a slow machine may still be at what remains of it; who polls does so all the time.
    eventually(lambda: idle(squad.processes(), 5).wakeups_per_second < 5, "nobody is woken")
    for pid in squad.processes():
        assert psutil.Process(pid).net_connections("inet") == []  # and no port of the network is open
