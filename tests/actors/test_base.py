"""The one actor class, in real actors."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from thespian.actors import DeadEnvelope, PoisonMessage

from squad.actors.base import Actor, Address, receives
from squad.actors.transport import System, open_system
from tests.actors.transport.cast import (
    Came,
    Count,
    Echo,
    Family,
    Leave,
    LeaveTelling,
    Raise,
    Say,
    Stray,
    WhatCame,
)
from tests.actors.transport.versatile import (
    LookAround,
    Posted,
    PostFrom,
    Rang,
    SetTimers,
    TellFromThreads,
    Versatile,
    WhatWasHeard,
)
from tests.actors.transport.watching import alive
from tests.running import eventually


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = open_system(tmp_path / "home" / "run")
    yield system
    assert system.close()


def test_two_handlers_for_the_same_messages_are_a_mistake() -> None:
    with pytest.raises(TypeError, match=r"first and second both receive .*Say"):

        class Torn(Actor):
            @receives(Say)
            def first(self, msg: Say, sender: Address) -> None: ...

            @receives(Say, Count)
            def second(self, msg: Say | Count, sender: Address) -> None: ...


def test_a_subclass_inherits_handlers_and_may_replace_them() -> None:
    class Replacing(Echo):
        @receives(Say)
        def otherwise(self, msg: Say, sender: Address) -> None: ...

    assert Replacing._handlers[Say] == "otherwise"
    assert Replacing._handlers[Count] == "on_count"
    assert Echo._handlers[Say] == "on_say"


def test_a_message_without_a_handler_is_counted_and_harms_nobody(system: System) -> None:
    echo = system.create(Echo)

    for _ in range(3):
        system.tell(echo, Stray())
    system.tell(echo, DeadEnvelope(echo, Stray()))
    system.tell(echo, PoisonMessage(Stray(), "details"))

    assert system.ask(echo, WhatCame(), 60) == Came((), 4)


def test_the_title_is_what_ps_shows(system: System) -> None:
    pid = system.ask(system.create(Versatile), Say(), 60).pid

    assert psutil.Process(pid).cmdline()[0] == "squad: versatile"
    assert psutil.Process(system.admin_pid).cmdline()[0] == "squad: admin"


def test_timers_ring_in_the_order_of_their_times(system: System) -> None:
    versatile = system.create(Versatile)

    assert system.ask(versatile, SetTimers((0.2, 0.05, 0.1, 0.0)), 60) == Rang((0.0, 0.05, 0.1, 0.2))


def test_timers_that_are_due_together_ring_in_order_as_well(system: System) -> None:
    versatile = system.create(Versatile)

    assert system.ask(versatile, SetTimers((0.02, 0.01, 0.03), busy=0.1), 60) == Rang((0.01, 0.02, 0.03))


def test_calls_posted_by_threads_all_run_on_the_loop_in_order(system: System) -> None:
    versatile = system.create(Versatile)

    assert system.ask(versatile, PostFrom(threads=8, calls=500), 60) == Posted(True, True, 4000)


def test_the_watch_outlives_other_messages(system: System) -> None:
    """Thespian forgets it after any message whose handler does not return it."""
    versatile = system.create(Versatile)
    for number in range(3):
        system.tell(versatile, Count(number))
        system.tell(versatile, Stray())

    assert isinstance(system.ask(versatile, PostFrom(threads=1, calls=1), 60), Posted)


def test_threads_tell_for_themselves_and_each_keeps_its_order(system: System) -> None:
    versatile, teller = system.create(Versatile), system.create(Versatile)

    system.tell(teller, TellFromThreads(versatile, threads=4, words=2000))

    eventually(lambda: system.ask(versatile, WhatWasHeard(), 60).words == 5 * 2000, "every word arrived")
    assert system.ask(versatile, WhatWasHeard(), 60).in_order


def test_leaving_sends_what_was_told(system: System) -> None:
    family = system.create(Family)
    system.ask(family, Raise(Echo, 1), 60)

    news = system.ask(family, Leave(words=300), 60)

    assert [what for what, _ in news.items] == ["last words"] * 300 + ["exited"]


def test_leaving_does_not_wait_for_one_who_is_stopped(system: System) -> None:
    stopped, leaving = system.create(Echo), system.create(Versatile)
    system.ask(leaving, SetTimers((3600.0,)), 0.1)  # a timer is no reason to stay either
    os.kill(system.ask(stopped, Say(), 60).pid, signal.SIGSTOP)
    pid = system.ask(leaving, Say(), 60).pid

    system.tell(leaving, LeaveTelling(stopped))

    eventually(lambda: not alive(pid), "the actor has left", 60)


def test_an_actor_begins_with_plain_logging_and_nothing_of_the_terminal(system: System) -> None:
    seen = system.ask(system.create(Versatile), LookAround(), 60)

    assert seen.root == "RootLogger"  # not Thespian's, which sends each record to a process
    assert seen.handlers == ()
    assert seen.umask == 0o077
    assert seen.stdin == os.devnull
    assert seen.threads == 1


def test_a_message_that_cannot_be_pickled_crashes_nobody_else(system: System) -> None:
    echo = system.create(Echo)
    with pytest.raises(Exception, match=r"pickle|local"):
        system.tell(echo, lambda: None)

    assert system.ask(echo, Say(3), 60).number == 3
