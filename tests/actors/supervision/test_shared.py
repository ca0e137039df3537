"""What an agent's process shares with the others, and what it has for itself."""

from __future__ import annotations

import json
import os
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


class Prepared(NamedTuple):
    """Grows by an entry for each child that is prepared."""

    children: list[str]


class Sibling(Actor):
    @receives(Prepared)
    def on_prepared(self, msg: Prepared, sender: Address) -> None:
        self.tell(sender, (len(msg.children), os.getppid()))


class ParentOfMany(Actor):
    """Answers with what each child had from it, once all have said so."""

    def createActor(self, *args: Any, **kwargs: Any) -> Any:
        self.prepared.children.append("another")
        return super().createActor(*args, **kwargs)

    @receives(Ask)
    def on_ask(self, msg: Ask, sender: Address) -> None:
        self.asked, self.prepared = sender, Prepared([])
        self.heard: list[Any] = []
        self.pids = {child.pid for child in self.spawn_all([(Sibling, self.prepared)] * 3)}

    @receives(tuple)
    def on_answer(self, msg: tuple[Any, ...], sender: Address) -> None:
        self.heard.append(msg)
        if len(self.heard) == len(self.pids):
            self.tell(self.asked, (os.getpid(), *self.heard))


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = open_system(tmp_path / "home" / "run")
    yield system
    assert system.close()


def test_a_childs_first_message_is_in_the_memory_that_it_is_forked_with(system: System) -> None:
    assert system.ask(system.create(Parent), Ask(), 60) == (True,)


def test_children_that_start_together_are_all_prepared_before_the_first_is_forked(system: System) -> None:
    parent, *heard = system.ask(system.create(ParentOfMany), Ask(), 60)
    assert heard == [(3, parent)] * 3


class ParentWithoutRoom(ParentOfMany):
    """Can fork the second of its children only. Answers with that one's pid as well."""

    @receives(Ask)
    def on_ask(self, msg: Ask, sender: Address) -> None:
        fork, tries = os.fork, iter((False, True, False))

        def fork_if_there_is_room() -> int:
            if not next(tries):
                raise BlockingIOError("no room")
            return fork()

        os.fork = fork_if_there_is_room
        self.asked, self.prepared, self.heard = sender, Prepared([]), []
        self.spawned = [child.pid for child in self.spawn_all([(Sibling, self.prepared)] * 3)]
        self.pids = {pid for pid in self.spawned if pid is not None}
        self.heard.append((self.spawned[0], self.spawned[2]))
        self.pids.add(0)


def test_children_for_which_there_is_no_room_are_told_apart_from_the_others(system: System) -> None:
    parent, *heard = system.ask(system.create(ParentWithoutRoom), Ask(), 60)
    assert heard == [(None, None), (3, parent)]


def test_an_agent_imports_nothing_and_its_collector_looks_at_its_own_alone(
    start: Callable[[str], RunningSquad],
) -> None:
    file = Path(__file__).parents[1] / "squads" / "probe.py"
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
