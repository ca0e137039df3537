"""Whose turn it is to start."""

from __future__ import annotations

import pytest

from squad.actors.supervision.children import Child, ChildSpec
from squad.actors.supervision.restarts import budget_of
from squad.actors.supervision.turns import Turns
from squad.config.supervision import RestartConfig

AGENTS = 160
AT_ONCE, TOGETHER = 64, 32


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
        self.turns_taken: list[int] = []
        self.turns = Turns(self.children, lambda child: ["it"] if child.name in self.blocked else [], self.start)

    def start(self, *children: Child) -> None:
        self.turns_taken.append(len(children))
        for child in children:
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


def test_so_many_start_at_a_time_and_the_next_together_when_half_of_them_have_started(squad: Squad) -> None:
    squad.turns.give(everybody=True)
    assert squad.started == ["storage", "monitor", *(f"a{number}" for number in range(AT_ONCE))]

    for number in range(AGENTS):
        squad.turns.over(squad.children[f"a{number}"])
        squad.turns.give(everybody=True)
    assert squad.started[2:] == [f"a{number}" for number in range(AGENTS)]
    assert squad.turns_taken == [1, 1, AT_ONCE, TOGETHER, TOGETHER, AGENTS - AT_ONCE - 2 * TOGETHER]


def test_a_few_do_not_wait_for_more(squad: Squad) -> None:
    squad.turns.give(everybody=True)
    for number in range(AGENTS):
        squad.turns.over(squad.children[f"a{number}"])
        squad.turns.give(everybody=True)
    for number in range(AT_ONCE - 1):
        squad.turns.began(squad.children[f"a{number}"])
    squad.children["a159"].become("waiting")
    squad.turns.give(everybody=True)
    assert squad.started[-1] == "a159"


def test_the_core_does_not_wait_for_agents(squad: Squad) -> None:
    squad.turns.give(everybody=True)
    squad.children["monitor"].become("waiting")
    squad.turns.give(everybody=True)
    assert squad.started.count("monitor") == 2


def test_who_is_gone_or_must_wait_again_by_its_turn_is_passed_over(squad: Squad) -> None:
    squad.turns.give(everybody=True)
    del squad.children["a64"]
    squad.blocked.add("a65")
    squad.children["a66"].become("stopped")
    for number in range(TOGETHER):
        squad.turns.over(squad.children[f"a{number}"])
    squad.turns.give(everybody=True)
    assert squad.started[2 + AT_ONCE :] == [f"a{number}" for number in range(67, AT_ONCE + TOGETHER)]

    squad.blocked.clear()
    for number in (*range(TOGETHER, AT_ONCE), *range(67, AGENTS)):
        squad.turns.over(squad.children[f"a{number}"])
        squad.turns.give(everybody=True)
    assert squad.started[-1] == "a65"
    assert not {"a64", "a66"} & set(squad.started)
