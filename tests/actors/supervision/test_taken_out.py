"""What is taken out of the squad and still finishes what it has in hand: nothing brings it back but who wants it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from squad.actors.base import Actor, Spawned
from squad.actors.supervision.lifecycle import Lifecycle
from squad.config.schema import SquadConfig
from tests.actors.conftest import AGENTS
from tests.actors.supervision.test_starts import Host, life_of

WORKER = {"class": f"{AGENTS}:Worker"}
POOL = {"class": f"{AGENTS}:Pool", "min": 1, "max": 2}
CLOCK = {"schedules": {"s": {"cron": "0 9 * * 1", "recipient": "a", "type": "count"}}}


class Numbered(Host):
    """Each process has a number of its own, above all that the kernel gives: so it is never found alive."""

    numbers = itertools.count(2**22 + 1)

    def spawn_all(self, births: Sequence[tuple[type[Actor], object]]) -> list[Spawned]:
        return [Spawned("somewhere", next(self.numbers)) for _ in births]


@pytest.fixture
def host() -> Numbered:
    return Numbered()


def serving(home: Path, host: Host, text: dict[str, Any]) -> Lifecycle:
    """All of it runs and is ready."""
    life = life_of(home, host, text)
    life.start(life.storage)
    life.storage_ready("storage", {})
    while any(not child.ready for child in life.children.values()):
        for child in [child for child in life.children.values() if child.running]:
            child.become("idle")
        life.start_waiting()
    return life


def end(life: Lifecycle, name: str) -> None:
    """Its process ends."""
    life.sweep(life.children[name].pid)


def test_an_agent_that_is_put_back_meanwhile_starts_when_its_process_has_ended(host: Host, tmp_path: Path) -> None:
    life = serving(tmp_path, host, {"agents": {"a": WORKER}})
    before = life.children["a"].worker
    life.remove("a")
    life.config = SquadConfig.model_validate({"agents": {"a": WORKER | {"timeout": "1m"}}})
    life.declare("a")
    assert (life.children["a"].worker, life.children["a"].state) == (before, "draining")
    end(life, "a")
    assert before in life.journal.unreleased  # what it had in hand is not lost
    child = life.children["a"]
    assert child.running
    assert child.worker != before
    assert child.spec.settings is life.config.agents["a"]


def test_so_does_a_scheduler(host: Host, tmp_path: Path) -> None:
    life = serving(tmp_path, host, {"agents": {"a": WORKER}, **CLOCK})
    with_a_clock, life.config = life.config, SquadConfig.model_validate({"agents": {"a": WORKER}})
    life.fit_core()
    life.config = with_a_clock
    life.fit_core()
    end(life, "scheduler")
    assert life.children["scheduler"].running


def test_a_worker_has_no_name_of_an_agent_that_still_ends(host: Host, tmp_path: Path) -> None:
    life = serving(tmp_path, host, {"agents": {"pool-1": WORKER}})
    before = life.children["pool-1"]
    life.remove("pool-1")
    life.config = SquadConfig.model_validate({"convoys": {"pool": POOL}})
    life.declare("pool")
    life.fit(life.convoys["pool"])
    assert life.children["pool-1"] is before
    assert [worker.name for worker in life.workers(life.convoys["pool"])] == ["pool-2"]


@pytest.mark.parametrize("how", ["by hand", "with its group", "in quarantine with its group"])
def test_a_worker_too_many_does_not_come_back(host: Host, tmp_path: Path, how: str) -> None:
    life = serving(
        tmp_path,
        host,
        {
            "agents": {"a": WORKER},
            "convoys": {"pool": POOL | {"min": 2}},
            "supervision": {
                "groups": {"g": {"strategy": "one_for_all", "members": ["pool", "a"]}},
                "restarts": {"intensity": 0 if "quarantine" in how else 3},
            },
        },
    )
    pool = life.convoys["pool"]
    pool.size = 1
    life.fit(pool)
    (surplus,) = [worker for worker in life.workers(pool) if worker.after_exit == "remove"]
    if how == "by hand":
        assert life.restart("pool") == [worker.name for worker in life.workers(pool) if worker is not surplus]
        assert life.restart(surplus.name) == []
    else:
        end(life, "a")
    end(life, surplus.name)
    assert surplus.name not in life.children
    assert len(life.workers(pool)) == 1
