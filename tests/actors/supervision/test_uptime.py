"""How much of the time agents were there."""

from __future__ import annotations

import time
from typing import Any

import pytest

from squad.actors.supervision.children import Child, ChildSpec, Kind
from squad.actors.supervision.uptime import Uptime


class Clock:
    now = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    Clock.now = 1000.0
    return Clock()


def child(name: str, recipient: str = "a", kind: Kind = "agent") -> Child:
    budget: Any = None  # not asked for
    return Child(ChildSpec(name, kind, recipient), budget, pid=1)


def look(uptime: Uptime, *children: Child) -> dict[str, tuple[float | None, int]]:
    return {found.agent: (found.summary.mean, found.summary.count) for found in uptime.look(children)}


def test_an_agent_that_was_away_for_a_while(clock: Clock) -> None:
    agent, uptime = child("a"), Uptime()
    assert look(uptime, agent) == {}  # it was never ready
    agent.become("idle")
    Clock.now += 60
    assert look(uptime, agent) == {"a": (100, 1)}
    Clock.now += 30
    agent.become("restarting")
    Clock.now += 15
    agent.become("idle")
    Clock.now += 15
    assert look(uptime, agent) == {"a": (75, 1)}
    agent.become("quarantined")
    Clock.now += 60
    assert look(uptime, agent) == {"a": (0, 1)}


def test_what_is_stopped_on_purpose_does_not_count(clock: Clock) -> None:
    agent, uptime = child("a"), Uptime()
    agent.become("idle")
    Clock.now += 60
    agent.become("stopped")
    assert look(uptime, agent) == {}
    Clock.now += 600
    assert look(uptime, agent) == {}
    agent.become("idle")
    Clock.now += 60
    assert look(uptime, agent) == {"a": (100, 1)}


def test_a_restart_that_was_asked_for_does_not_count_and_one_that_fails_does(clock: Clock) -> None:
    agent, uptime = child("a"), Uptime()
    agent.become("idle")
    Clock.now += 30
    agent.after_exit = "again"
    for state in ("draining", "waiting", "starting"):
        agent.become(state)
        Clock.now += 2
    agent.become("idle")
    Clock.now += 24
    assert look(uptime, agent) == {"a": (100, 1)}
    agent.become("draining")
    Clock.now += 5
    agent.failed = True  # the new process crashes
    agent.become("restarting")
    Clock.now += 15
    agent.become("idle")
    Clock.now += 45
    assert look(uptime, agent) == {"a": (75, 1)}


def test_what_its_group_does_to_it_counts(clock: Clock) -> None:
    agent, uptime = child("a"), Uptime()
    agent.become("idle")
    Clock.now += 30
    agent.after_exit = "regroup"
    agent.become("draining")
    Clock.now += 30
    agent.become("idle")
    assert look(uptime, agent) == {"a": (50, 1)}


def test_who_was_stopped_before_it_was_ever_ready_counts_from_then(clock: Clock) -> None:
    agent, uptime = child("a"), Uptime()
    agent.become("stopped")
    Clock.now += 600
    agent.become("waiting")
    agent.become("idle")
    Clock.now += 30
    agent.failed = True
    agent.become("restarting")
    Clock.now += 30
    assert look(uptime, agent) == {"a": (50, 1)}


def test_each_worker_of_a_convoy_counts_and_the_core_does_not(clock: Clock) -> None:
    workers = [child(f"a-{number}", kind="worker") for number in (1, 2)]
    core = child("monitor", "", kind="monitor")
    for each in (*workers, core):
        each.become("idle")
    Clock.now += 30
    workers[0].become("restarting")
    Clock.now += 30
    assert look(Uptime(), *workers, core) == {"a": (75, 2)}
