"""What a storage that begins does about what its predecessor has left running."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from squad.actors.broker.rules import Rules
from squad.actors.broker.workers import Workers
from squad.store.backend import Backend

_KILLED = "the squad was killed while it was handled"


def settle(  # noqa: PLR0913, PLR0917 - what there was, and who lives
    writer: Backend,
    workers: Workers,
    rules: Rules,
    alive: Iterable[str] | None,
    in_hand: Mapping[str, tuple[int, int]],
    now: float,
) -> float | None:
    """When something is next due, seconds since the epoch.

    ``alive`` are the workers that still live and will say what they hold; None: the whole squad was down. Messages
    of all others go back to the queue; what one of those had ``in_hand`` is charged an attempt.
    """
    living = set(alive or ())
    dead = set()
    for lease in writer.open_leases():
        if lease.worker in living:
            workers.recover(lease)
        else:
            dead.add(lease.worker)
    with writer.transaction():
        for worker in dead:
            writer.release(worker, in_hand.get(worker), _KILLED, True, now, rules.retry)
        return writer.due(now).next_due
