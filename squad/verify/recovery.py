"""How long it takes from a kill until the next message is handled: measured while the squad has nothing else to do."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from squad.client import Client
from squad.errors import SquadError, WaitTimeoutError
from squad.ids import new_id
from squad.verify.producer import Journal
from squad.verify.targets import ALL, KINDS, Target, Targets
from squad.verify.throwaway import POLL, Throwaway
from squad.verify.workload import Order

_ANSWER = 2.0  # seconds for an answer before the message is sent again
_LIMIT = 60.0  # seconds for one recovery
_TREES = 3  # most kills of the tree in a row
_SETTLES = 0.3  # seconds for a squad to come to rest before the next kill


@dataclass(slots=True)
class Times:
    """Seconds of each trial."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def worst(self) -> float:
        return max(self.seconds)

    @property
    def p99(self) -> float:
        """The least time that 99 in 100 trials do not exceed; of fewer than 100 trials it is the worst."""
        ordered = sorted(self.seconds)
        return ordered[-(-99 * len(ordered) // 100) - 1]


class Recovery:
    """``rounds`` kills of an idle agent and of the storage, a tenth of that of everything, and a few of the tree.

    Not more of the tree: the launcher waits longer after each one that dies soon after the one before.
    """

    def __init__(self, squad: Throwaway, journal: Journal, rounds: int, told: Callable[[str], None]) -> None:
        self.killed = 0
        self._squad = squad
        self._journal = journal
        self._rounds = rounds
        self._told = told
        self._entries = count(-1, -1)  # producers have the others

    def measure(self) -> dict[str, Times]:
        """By what was killed."""
        few = max(1, self._rounds // 10)
        plan: list[tuple[str, int, tuple[str, ...]]] = [
            ("agent", self._rounds, ("agent",)),
            ("storage", self._rounds, ("storage",)),
            ("tree", min(few, _TREES), tuple(kind for kind in KINDS if kind != "launcher")),
            ("launcher", few, ALL),
        ]
        found = {}
        for name, rounds, kinds in plan:
            self._told(f"recovery of {name}: {rounds} kills")
            found[name] = Times([self._once(kinds, agent="teller") for _ in range(rounds)])
        return found

    def _once(self, kinds: tuple[str, ...], agent: str) -> float:
        self._squad.until_ready()
        time.sleep(_SETTLES)
        with Targets(self._squad.home.path, kinds) as targets:
            chosen = [t for t in targets if t.name == agent] if kinds == ("agent",) else targets
            began = time.monotonic()
            self.killed += sum(_kill(target) for target in chosen)
        self._handled(Order(new_id(), {"entry": next(self._entries), "amount": 1}), began + _LIMIT)
        return time.monotonic() - began

    def _handled(self, order: Order, deadline: float) -> None:
        """Send it as a user would who wants it done, and wait until it is."""
        self._journal.intend([order])
        acknowledged = False
        with Client(self._squad.home, timeout=_ANSWER) as client:
            while time.monotonic() < deadline:
                self._squad.revive()
                try:
                    if not acknowledged:
                        self._journal.acknowledge([(order.id, client.submit(order.message()).id)])
                        acknowledged = True
                    if client.wait(order.id, timeout=_ANSWER):
                        return
                except SquadError:
                    time.sleep(POLL)
        raise WaitTimeoutError(f"a message was not handled within {_LIMIT:g} s of a kill: {self._squad.words()}")


def _kill(target: Target) -> bool:
    return target.hit(signal.SIGKILL)
