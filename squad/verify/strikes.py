"""What is killed or frozen, and when: a seeded plan, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

TWENTY = 20
_LONGEST_FREEZE = 6.0  # seconds; longer than the silence after which an actor is ended

# How often each kind is struck in one round. The first round strikes each once.
_WEIGHTS = {
    "agent": 4,
    "worker": 6,
    "command": 3,
    "nursery": 2,
    "storage": 4,
    "gateway": 3,
    "monitor": 1,
    "scheduler": 2,
    "supervisor": 1,
    "admin": 1,
    "launcher": 1,
    "warden": 1,
    "twenty": 1,
    "everything": 1,
    "freeze-worker": 2,
    "freeze-agent": 1,
    "freeze-storage": 1,
    "freeze-supervisor": 1,
    "freeze-everything": 1,
}
ROOTS = ("supervisor", "admin", "launcher", "twenty", "everything")  # after which nothing works for a while
_OUTER = ("agent", "worker", "worker", "command", "nursery", "freeze-worker")


class Strike(NamedTuple):
    """``gap``: seconds since the one before. ``pick``: 0 to 1, which of the processes. ``freeze``: seconds, 0: kill."""

    gap: float
    kind: str
    pick: float
    freeze: float = 0.0


def storm(seed: str, gap: float) -> Iterator[Strike]:
    """Strikes at everything, without end; ``gap`` is the average."""
    chance = random.Random(f"{seed}/strikes")  # noqa: S311 - to be repeatable
    bag = list(_WEIGHTS)
    while True:
        chance.shuffle(bag)
        yield from (_strike(kind, gap, chance) for kind in bag)
        bag = [kind for kind, weight in _WEIGHTS.items() for _ in range(weight)]


def drizzle(seed: str, gap: float) -> Iterator[Strike]:
    """Strikes at agents and workers alone, so that the processes above them live long."""
    chance = random.Random(f"{seed}/drizzle")  # noqa: S311 - to be repeatable
    while True:
        yield _strike(chance.choice(_OUTER), gap, chance)


def killed_per_round() -> tuple[int, int]:
    """(strikes, processes killed, about) in a full round."""
    strikes = sum(_WEIGHTS.values())
    frozen = sum(weight for kind, weight in _WEIGHTS.items() if kind.startswith("freeze-"))
    return strikes, strikes - frozen - 2 + 2 * TWENTY


def _strike(kind: str, gap: float, chance: random.Random) -> Strike:
    wait, pick = chance.expovariate(1 / gap), chance.random()
    if not kind.startswith("freeze-"):
        return Strike(wait, kind, pick)
    seconds = chance.choice((chance.uniform(0.1, 1.0), chance.uniform(3.0, _LONGEST_FREEZE)))
    return Strike(wait, kind.removeprefix("freeze-"), pick, seconds)
