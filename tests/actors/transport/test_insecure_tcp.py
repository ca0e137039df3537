"""Thespian's own base as it is: a system, and a squad, run on it."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.actors.transport import open_system
from squad.actors.transport.insecure_tcp import InsecureTcpSystem
from tests.actors.transport.cast import Echo, Family, Leave, News, Raise, Say
from tests.actors.transport.versatile import Posted, PostFrom, Rang, SetTimers, Versatile
from tests.actors.transport.watching import all_gone, tree
from tests.running import RunningSquad, eventually

AGENTS = """
from squad import Agent, Context, handles, message


@message("greet")
class Greet:
    name: str


class Greeter(Agent):
    @handles(Greet)
    def greet(self, msg: Greet, ctx: Context) -> str:
        return f"hello {msg.name}"
"""

CONFIG = """
name: open
runtime: {transport: insecure-tcp}
agents:
  greeter: {class: './agents.py:Greeter'}
supervision: {shutdown: 10s}
"""


# Thespian leaves connections to the collector of garbage, which complains of each.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def system(run_dir: Path) -> Iterator[InsecureTcpSystem]:
    system = open_system(run_dir, "insecure-tcp")
    assert isinstance(system, InsecureTcpSystem)
    yield system
    assert system.close(timeout=30)
    del system
    gc.collect()


def test_actors_work_and_nothing_is_left(system: InsecureTcpSystem) -> None:
    family = system.create(Family)
    children = system.ask(family, Raise(Echo, 2), 60).pids
    assert system.ask(family, Say(7, b"data"), 60).number == 7
    assert system.tell(family, Leave(words=2))
    eventually(lambda: all_gone(children), "the children have left")

    def heard() -> list[tuple[str, int]]:
        return list(system.ask(family, News(), 60).items)

    eventually(lambda: [what for what, _ in heard()].count("last words") == 4, "their last words")
    pids = tree(system.admin_pid)
    assert system.alive()
    assert system.close(timeout=30)
    assert all_gone(pids)


def test_posts_and_timers_work(system: InsecureTcpSystem) -> None:
    versatile = system.create(Versatile)

    assert system.ask(versatile, PostFrom(threads=2, calls=50), 60) == Posted(True, True, 100)
    assert system.ask(versatile, SetTimers((0.1, 0.0)), 60) == Rang((0.0, 0.1))


def test_actors_die_with_their_parent(system: InsecureTcpSystem) -> None:
    family = system.create(Family)
    children = system.ask(family, Raise(Echo, 2), 60).pids

    os.kill(system.ask(family, Say(), 60).pid, signal.SIGKILL)

    eventually(lambda: all_gone(children), "they are gone as well")


@pytest.mark.timeout(100)
def test_a_squad_starts_takes_a_message_and_stops(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text(AGENTS)
    (tmp_path / "squad.yaml").write_text(CONFIG)
    with RunningSquad(tmp_path / "home", tmp_path / "squad.yaml") as squad:
        task = squad.send("greeter", "greet", {"name": "you"})
        squad.wait(task)
        assert squad.task(task)["status"] == "completed"
