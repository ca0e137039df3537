"""Sending: as much as possible, or evenly; and waiting until all of it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import peewee

from squad.benchmark.agents import clock
from squad.benchmark.squads import ThrowAway

Message = dict[str, Any]

_PATIENCE = 600.0  # seconds until what does not end is given up
_BEAT = 0.02  # seconds between two batches of an even rate that is too high for single messages
_LOOK = 0.005  # seconds between two looks whether all is done

# Literals, not parameters: only then are the partial indexes sure to be used.
_BUSY = """
    SELECT EXISTS (SELECT 1 FROM tasks WHERE status = 'running') OR EXISTS (SELECT 1 FROM tasks WHERE status = 'queued')
"""


def warm_up(squad: ThrowAway, agents: int) -> None:
    """Let every agent handle one message, so that nothing is imported or opened for the first time later on."""
    squad.client.send_many(clock(n) for n in range(agents))
    wait(squad)


def wait(squad: ThrowAway) -> None:
    """Until the database shows that nothing waits and nothing runs."""
    with squad.pool.connection() as database:
        squad.until(lambda: _idle(database), "all messages to be handled", _PATIENCE, every=_LOOK)


def _idle(database: peewee.Database) -> bool:
    return not database.execute_sql(_BUSY).fetchone()[0]  # type: ignore[no-untyped-call]


def flood(squad: ThrowAway, messages: Sequence[Message], *, batch: int = 500) -> float:
    """Send them as fast as one client can. Seconds from just before the first until the last is completed."""
    began = time.monotonic()
    squad.client.send_many(messages, batch=batch)
    wait(squad)
    return time.monotonic() - began


def one_by_one(count: int, rate: float, send: Callable[[int, float], None]) -> float:
    """Call ``send(number, moment)`` at an even ``rate`` a second. The rate that was reached.

    ``moment`` is when it is sent. If the calls before it took too long, it is when it was due: what a sender suffers by
    waiting is not to be left out.
    """
    began = time.monotonic()
    for number in range(count):
        due = began + number / rate
        early = due - time.monotonic()
        if early > 0:
            time.sleep(early)
        send(number, time.monotonic() if early > 0 else due)
    return count / max(time.monotonic() - began, count / rate)


def evenly(squad: ThrowAway, rate: float, seconds: float, make: Callable[[int, float], Message]) -> float:
    """Offer ``make(number, moment)`` at an even rate, in batches that are some milliseconds apart. The rate reached."""
    beats = max(1, round(seconds / max(_BEAT, 1 / rate)))
    count = max(beats, round(rate * seconds))
    edges = [count * beat // beats for beat in range(beats + 1)]

    def send(beat: int, moment: float) -> None:
        squad.client.send_many([make(number, moment) for number in range(edges[beat], edges[beat + 1])])

    return one_by_one(beats, beats / seconds, send) * count / beats
