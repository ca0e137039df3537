from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from squad.actors.protocol import Ping
from squad.actors.supervision import health
from squad.actors.supervision.children import Child, ChildSpec
from squad.actors.supervision.health import Health
from squad.actors.supervision.restarts import budget_of
from squad.config.supervision import HealthConfig, RestartConfig

RULES = HealthConfig(interval=30.0, timeout=5.0, hung_after=30.0)


class Ward:
    """Health checks of one child that never answers, by a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.child = Child(ChildSpec("a", "agent", "a"), budget_of(RestartConfig()), state="idle")
        self.child.pid, self.child.started = 1, True
        monkeypatch.setattr(Child, "kill", lambda child, why: self._kill(child, why))  # noqa: PLW0108 - binds child
        self.pings: list[Ping] = []
        self.killed: list[float] = []
        self.health = Health(RULES, lambda: [self.child], self._tell, logging.getLogger("test"))

    def _kill(self, child: Child, why: str) -> None:
        child.killed_for = why
        self.killed.append(self.now)

    def _tell(self, address: Any, message: Any) -> None:
        self.pings.append(message)

    def looks(self, seconds: float) -> None:
        """As the supervisor's timer does it, for so long."""
        until = self.now + seconds
        while self.now + RULES.timeout <= until:
            self.now += RULES.timeout
            self.health.look()


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch) -> Ward:
    return Ward(monkeypatch)


def test_silence_is_shown_and_then_ended_once(ward: Ward) -> None:
    assert ward.health.check()
    ward.looks(5)
    assert (ward.child.state, ward.killed) == ("hung", [])
    ward.looks(40)
    assert ward.killed == [1030.0]
    assert ward.child.last_error == "hung: silent for 30 s"


def test_an_answer_in_time_is_enough(ward: Ward) -> None:
    ward.health.check()
    ward.looks(25)
    Health.answered(ward.child)
    assert not ward.health.look()
    assert (ward.child.state, ward.killed) == ("ready", [])


def test_there_is_one_chain_of_looks(ward: Ward) -> None:
    assert ward.health.check()
    assert not ward.health.check()
    ward.now += RULES.timeout
    assert ward.health.look()  # goes on
    assert not ward.health.check()
    Health.answered(ward.child)
    ward.now += RULES.timeout
    assert not ward.health.look()  # has ended
    assert ward.health.check()


@pytest.mark.parametrize("slept", [11.0, 3600.0])
@pytest.mark.parametrize("checks", [0, 1], ids=["the look comes first", "a check comes first"])
def test_who_looks_late_holds_it_against_nobody(ward: Ward, slept: float, checks: int) -> None:
    """The supervisor was stopped, perhaps together with everybody else."""
    ward.health.check()
    ward.now += slept
    for _ in range(checks):
        assert not ward.health.check()
    before = len(ward.pings)
    assert ward.health.look()
    assert ward.killed == []
    assert len(ward.pings) == before + 1
    ward.looks(25)
    assert ward.killed == []
    ward.looks(5)
    assert ward.killed == [1000.0 + slept + 30.0]  # silent for the whole time since
