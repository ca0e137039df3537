"""Whose turn it is to start."""

from __future__ import annotations

import pytest

from squad.actors.children import Child, ChildSpec
from squad.actors.restarts import budget_of
from squad.actors.turns import Turns
from squad.config.supervision import RestartConfig

AGENTS = 40
AT_ONCE = 16


def child(name: str) -> Child:
    kind = "storage" if name == "storage" else "monitor" if name == "monitor" else "agent"
    made = Child(ChildSpec(name, kind, name), budget_of(RestartConfig()))  # type: ignore[arg-type]
    made.become("waiting")
    return made


class Squad:
    def __init__(self) -> None:
        names = ["storage", "monitor", *(f"a{number}" for number in range(AGENTS))]
        self.children = {name: child(name) for name in names}
        self.blocked: set[str] = set()
        self.started: list[str] = []
        self.turns = Turns(self.children, lambda child: ["it"] if child.name in self.blocked else [], self.start)

    def start(self, child: Child) -> None:
        self.started.append(child.name)
        child.become("starting")
        if not child.spec.core:
            self.turns.began(child)


@pytest.fixture
def squad() -> Squad:
    return Squad()


def test_the_storage_starts_alone_until_it_serves(squad: Squad) -> None:
    squad.turns.give(everybody=False)
    assert squad.started == ["storage"]


def test_so_many_start_at_a_time_and_each_that_has_started_makes_room(squad: Squad) -> None:
    squad.turns.give(everybody=True)
    assert squad.started == ["storage", "monitor", *(f"a{number}" for number in range(AT_ONCE))]

    for number in range(AGENTS):
        squad.turns.over(squad.children[f"a{number}"])
        squad.turns.give(everybody=True)
    assert squad.started[2:] == [f"a{number}" for number in range(AGENTS)]


def test_the_core_does_not_wait_for_agents(squad: Squad) -> None:
    squad.turns.give(everybody=True)
    squad.children["monitor"].become("waiting")
    squad.turns.give(everybody=True)
    assert squad.started.count("monitor") == 2


def test_who_is_gone_or_must_wait_again_by_its_turn_is_passed_over(squad: Squad) -> None:
    squad.turns.give(everybody=True)
    del squad.children["a16"]
    squad.blocked.add("a17")
    squad.children["a18"].become("stopped")
    squad.turns.over(squad.children["a0"])
    squad.turns.give(everybody=True)
    assert squad.started[-1] == "a19"

    squad.blocked.clear()
    for number in range(1, AT_ONCE):
        squad.turns.over(squad.children[f"a{number}"])
    squad.turns.give(everybody=True)
    squad.turns.over(squad.children["a19"])
    for number in range(20, AGENTS):
        squad.turns.over(squad.children[f"a{number}"])
        squad.turns.give(everybody=True)
    assert squad.started[-1] == "a17"
    assert not {"a16", "a18"} & set(squad.started)
