"""A worker's outcomes on their way to storage."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from squad.actors.agents.outbox import Outbox
from squad.clock import Clock
from squad.store.rows import Outcome


class Stopped(Clock):
    now = 100.0

    def monotonic(self) -> float:
        return self.now


class Told:
    def __init__(self) -> None:
        self.clock = Stopped()
        self.packets: list[list[int]] = []
        self.outbox = Outbox(self.take, self.clock)

    def take(self, outcomes: Sequence[Outcome]) -> None:
        self.packets.append([outcome.row for outcome in outcomes])

    def ends(self, row: int, *, more: bool = False) -> None:
        if self.outbox.ended(Outcome(row, 1, "done"), more=more):
            self.outbox.tell()

    def enter(self) -> list[int]:
        return [outcome.row for outcome in self.outbox.enter(lambda claim: True)]


def test_while_more_is_at_hand_a_few_are_told_together() -> None:
    told = Told()

    told.ends(1, more=True)
    for row in (2, 3, 4):
        told.clock.now += 0.001
        told.ends(row, more=True)
    told.clock.now += 0.005
    told.ends(5, more=True)
    told.ends(6)

    assert told.packets == [[1], [2, 3, 4, 5], [6]]


def test_what_is_entered_is_waited_for_until_it_is_acknowledged() -> None:
    told = Told()
    told.ends(1)

    assert told.outbox
    assert told.enter() == [1]
    assert (1, 1) in told.outbox
    acknowledged = told.outbox.acknowledged((1, 1))
    assert acknowledged is not None
    assert acknowledged.row == 1
    assert not told.outbox
    assert told.outbox.acknowledged((1, 1)) is None


def test_what_was_given_up_before_it_ended_is_not_entered() -> None:
    told = Told()
    told.ends(1)

    assert list(told.outbox.enter(lambda claim: False)) == []
    assert not told.outbox


def test_the_oldest_decides_when_all_is_said_again_and_new_ones_come_after_it() -> None:
    told = Told()
    told.ends(1)
    told.enter()
    told.clock.now += 4
    told.outbox.send([Outcome(2, 1, "returned")])
    assert not told.outbox.forgotten

    told.clock.now += 1.5
    assert told.outbox.forgotten
    told.ends(3, more=True)
    told.ends(4, more=True)
    told.outbox.say_again()

    assert told.packets == [[1], [2], [3], [1, 2], [4]]
    assert not told.outbox.forgotten


def test_nothing_is_told_while_storage_moves() -> None:
    told = Told()
    told.ends(1)
    moved = threading.Event()

    def move() -> None:
        threading.Thread(target=lambda: told.ends(2)).start()
        moved.set()
        told.enter()

    told.outbox.say_again(move)

    assert moved.is_set()
    assert told.packets[0] == [1]
    assert told.packets[1][0] == 1
