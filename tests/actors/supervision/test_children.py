from __future__ import annotations

import os
import signal

import pytest

from squad.actors.supervision.children import Child, ChildSpec, Convoy
from squad.actors.supervision.restarts import RestartBudget
from squad.config.schema import ConvoyConfig


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("squad.actors.supervision.children.time.monotonic", made)
    return made


def child() -> Child:
    return Child(ChildSpec("one", "agent", "one"), RestartBudget(3, 60, 0.1, 30, 0, lambda: 0.0))


def test_uptime_counts_from_the_first_readiness(clock: Clock) -> None:
    one = child()
    one.pid = os.getpid()
    assert one.uptime() is None
    one.become("idle")
    clock.now += 90
    one.become("busy")
    assert one.uptime() == pytest.approx(100)
    one.pid = None
    one.become("restarting")
    clock.now += 10
    assert one.uptime() == pytest.approx(90)
    one.pid = os.getpid()
    one.become("idle")
    clock.now += 100
    assert one.uptime() == pytest.approx(95)


def test_an_exporter_whose_receiver_is_away_has_not_failed(clock: Clock) -> None:
    exporter = Child(ChildSpec("exporter", "exporter"), RestartBudget(3, 60, 0.1, 30, 0, lambda: 0.0))
    exporter.pid, exporter.failed = os.getpid(), True  # it was killed, and started again
    exporter.become("behind")
    clock.now += 10
    exporter.become("ready")
    clock.now += 10
    assert exporter.uptime() == 100.0
    assert not exporter.failed


def test_a_new_process_has_a_new_name_in_leases() -> None:
    one = child()
    names = {one.new_worker() for _ in range(100)}
    assert len(names) == 100
    assert {name.rpartition(".")[0] for name in names} == {"one"}


def test_a_process_that_ended_is_noticed_before_and_after_it_was_reaped() -> None:
    one = child()
    assert one.gone()
    one.pid = os.fork()
    if one.pid == 0:
        signal.pause()
    assert not one.gone()
    one.kill("as a test")
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    assert one.gone()
    os.waitpid(one.pid, 0)
    assert one.gone()
    one.kill("again")  # nothing happens
    assert one.killed_for == "as a test"


def test_a_size_set_by_hand_is_kept_within_the_bounds_of_today() -> None:
    before = Convoy("c", ConvoyConfig(class_="a.py:A", min=1, max=9), 8, pinned=True)
    _, text = before.kept()
    after = Convoy("c", ConvoyConfig(class_="a.py:A", min=1, max=4), 1)
    after.recall(text)
    assert (after.size, after.pinned) == (4, True)
    automatic = Convoy("c", ConvoyConfig(class_="a.py:A", min=1, max=4), 1)
    automatic.recall(Convoy("c", automatic.settings, 3).kept()[1])
    assert (automatic.size, automatic.pinned) == (1, False)
