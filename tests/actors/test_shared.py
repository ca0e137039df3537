"""What an agent's process shares with the others, and what it has for itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from squad.actors.base import Actor, Address, receives
from squad.actors.transport import System, open_system
from tests.running import RunningSquad

_MOST = 12_000  # kB that an agent has for itself; half of it, where nothing disturbs


class Given(NamedTuple):
    """Cannot be pickled."""

    lock: threading.Lock


class Ask(NamedTuple):
    pass


class Child(Actor):
    heard: tuple[Any, ...] = ()

    @receives(Given)
    def on_given(self, msg: Given, sender: Address) -> None:
        self.heard = (*self.heard, msg.lock.locked())
        self.tell(sender, self.heard)


class Parent(Actor):
    asked: Address = None

    @receives(Ask)
    def on_ask(self, msg: Ask, sender: Address) -> None:
        self.asked = sender
        lock = threading.Lock()
        lock.acquire()
        self.spawn(Child, Given(lock))  # type: ignore[arg-type]

    @receives(tuple)
    def on_answer(self, msg: tuple[Any, ...], sender: Address) -> None:
        self.tell(self.asked, msg)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = open_system(tmp_path / "home" / "run")
    yield system
    assert system.close()


def test_a_childs_first_message_is_in_the_memory_that_it_is_forked_with(system: System) -> None:
    assert system.ask(system.create(Parent), Ask(), 60) == (True,)


def test_an_agent_imports_nothing_and_its_collector_looks_at_its_own_alone(
    start: Callable[[str], RunningSquad],
) -> None:
    file = Path(__file__).parent / "squads" / "probe.py"
    with_plenty = json.dumps({f"a{n}": {"class": f"{file}:Probe"} for n in range(3)})
    squad = start(f'{{"agents": {with_plenty}}}')
    task = squad.send("a2", "look")
    squad.wait(task)
    seen = json.loads(squad.task(task)["result"])

    assert seen["loaded"] == []
    assert seen["frozen"] > 10_000
    assert seen["collecting"]
    assert not seen["knot"]
    assert seen["private"] < _MOST
