"""Starts that do not come to an end, and processes that cannot be forked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from squad.actors.agents.agent import AgentActor
from squad.actors.agents.reporting import Reports
from squad.actors.base import Actor, Spawned
from squad.actors.protocol import Boot, Ping, Ready
from squad.actors.supervision.children import CORE, ChildSpec
from squad.actors.supervision.lifecycle import Lifecycle
from squad.config.schema import SquadConfig
from tests.actors.conftest import AGENTS
from tests.running import RunningSquad, eventually

HANGS = """
import time
from squad import Agent, handles, message

@message("m")
class M:
    pass

class Hangs(Agent):
    def start(self):
        time.sleep(600)

    @handles(M)
    def m(self, msg, ctx): ...
"""


class Host:
    """What the supervisor's actor does, noted; ``room``: whether a process can be forked."""

    def __init__(self) -> None:
        self.room = True
        self.timers: list[tuple[float, Any]] = []

    def tell(self, address: Any, msg: object) -> None: ...

    def spawn_all(self, births: Sequence[tuple[type[Actor], object]]) -> list[Spawned]:
        return [Spawned("somewhere", 2**22 + 1 if self.room else None) for _ in births]

    def after(self, seconds: float, token: Any) -> None:
        self.timers.append((seconds, token))

    def leave(self, status: int = 0, farewell: float = 2.0) -> NoReturn:
        raise AssertionError("the tree is given up")

    def roster_changed(self) -> None: ...


def life_of(home: Path, host: Host, text: dict[str, Any]) -> Lifecycle:
    config = SquadConfig.model_validate(text)
    boot = Boot(str(home), config, 1, {name: frozenset() for name in config.recipients})
    actors: dict[str, type[Actor]] = dict.fromkeys((*CORE, "agent", "worker"), Actor)
    return Lifecycle(host, boot, actors, logging.getLogger("test"))


@pytest.fixture
def host() -> Host:
    return Host()


def test_a_start_that_hangs_counts_as_a_crash(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    config = tmp_path / "squad.yaml"
    config.write_text("agents: {one: {class: './hangs.py:Hangs', start_timeout: 300ms, restarts: {intensity: 0}}}\n")
    squad = RunningSquad(tmp_path / "home", config)
    try:
        with pytest.raises(AssertionError, match="not within"):
            squad.start(timeout=1)
        row = eventually(lambda: (r := squad.tree().get("one")) and r["state"] == "quarantined" and r, "quarantined")
        assert row
        assert row["last_error"] == "its start did not end within 0.3 s"
    finally:
        squad.end_everything()


def test_a_failed_fork_spends_no_restarts(host: Host, tmp_path: Path) -> None:
    life = life_of(tmp_path, host, {"agents": {"a": {"class": f"{AGENTS}:Worker", "restarts": {"intensity": 0}}}})
    host.room = False
    for name in ("a", "storage"):
        child = life.children[name]
        for expected in (1, 2, 4, 8, 16, 30, 30):
            life.start(child)
            delay, token = host.timers.pop()
            assert (child.state, delay, token[:2]) == ("restarting", expected, ("start", name))
        assert child.budget.history == ()
    host.room = True
    life.start(life.children["a"])
    assert life.children["a"].state == "starting"


def test_a_timer_of_an_earlier_delay_does_not_end_a_later_one(host: Host, tmp_path: Path) -> None:
    life = life_of(tmp_path, host, {"agents": {"a": {"class": f"{AGENTS}:Worker"}}})
    host.room = False
    child = life.children["a"]
    for _ in range(2):
        life.start(child)
    (_, (_, _, early)), (_, (_, _, late)) = host.timers
    life.delay_over("a", early)
    assert child.state == "restarting"
    life.delay_over("a", late)
    assert child.state == "waiting"


def test_a_convoy_that_shrinks_gives_up_its_quarantined_workers_first(host: Host, tmp_path: Path) -> None:
    life = life_of(tmp_path, host, {"convoys": {"pool": {"class": f"{AGENTS}:Worker", "min": 3}}})
    convoy = life.convoys["pool"]
    life.fit(convoy)
    for number, child in enumerate(life.workers(convoy)):
        child.spawned = float(number)
        child.become("quarantined" if number == 0 else "idle")
    convoy.size = 2
    life.fit(convoy)
    assert [child.name for child in life.workers(convoy)] == ["pool-2", "pool-3"]


class Agent(AgentActor):
    """What it tells, noted; it has begun, and storage's answer has not come."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []
        self._spec = ChildSpec("a", "agent", "a")
        self._worker, self._supervisor, self._storage = "a.1", "supervisor", "storage"
        self._reports = Reports("a.1", self.told.append)

    def tell(self, address: Any, msg: object) -> None:
        self.told.append(msg)


def test_an_agent_whose_state_was_lost_on_the_way_asks_again() -> None:
    agent = Agent()
    agent.on_ping(Ping(1), "supervisor")
    assert [msg for msg in agent.told if isinstance(msg, Ready)] == [Ready("a", "a.1", 0, want_state=True)]
