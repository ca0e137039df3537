"""How much of everything is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

from squad.errors import UsageError

SIZES = "sizes"
"""The name of the measurement that is made once for each size."""

Synchronous = Literal["FULL", "NORMAL"]

_OPERATIONS = {1: 100, 10: 50, 50: 20, 100: 10}  # for each agent, by the number of agents
_LARGER = 20  # times the operations of the largest number of agents, once more
_FEWEST = 10


class Size(NamedTuple):
    """So many agents, and so many operations of each kind for every one of them."""

    agents: int
    operations: int

    @property
    def total(self) -> int:
        return self.agents * self.operations


@dataclass(frozen=True)
class Scale:
    """The defaults are those of the published figures. Times are in seconds, rates in messages a second."""

    sizes: tuple[Size, ...] = (Size(1, 100), Size(10, 50), Size(50, 20), Size(100, 10), Size(100, 200))
    messages: int = 20_000
    producer_agents: int = 4
    exchange_agents: int = 100
    latency_agents: int = 10
    rate: float = 100.0
    steady: float = 500.0
    seconds: float = 10.0
    many: int = 200
    idle_agents: int = 50
    idle_seconds: float = 60.0  # two health checks of every process
    settling: float = 3.0  # after a start, until nothing of it is left to do
    tries: int = 10
    synchronous: Synchronous = "FULL"

    @property
    def most_agents(self) -> int:
        sizes = [size.agents for size in self.sizes]
        return max(self.producer_agents, self.exchange_agents, self.latency_agents, self.many, self.idle_agents, *sizes)

    def content(self) -> dict[str, Any]:
        """For the document."""
        return {**asdict(self), "sizes": [f"{size.agents} x {size.operations}" for size in self.sizes]}


def quick(scale: Scale) -> Scale:
    """Everything small: it shows that it works, and no more."""
    return replace(
        scale,
        sizes=(Size(1, 20), Size(2, 10)),
        messages=1000,
        producer_agents=2,
        exchange_agents=4,
        latency_agents=2,
        seconds=1.0,
        many=8,
        idle_agents=4,
        idle_seconds=2.0,
        settling=1.0,
        tries=2,
    )


def sizes(agents: list[int], operations: list[int] | None) -> tuple[Size, ...]:
    """One for each number of agents. ``operations`` None: the usual ones, and one larger size at the end.

    Raises UsageError when the lists do not fit together.
    """
    if operations is None:
        usual = tuple(Size(count, _OPERATIONS.get(count, max(_FEWEST, 1000 // count))) for count in agents)
        largest = max(usual)
        return (*usual, Size(largest.agents, largest.operations * _LARGER))
    if len(operations) == 1:
        operations = operations * len(agents)
    if len(operations) != len(agents):
        raise UsageError(
            f"--operations has {len(operations)} numbers and --agents {len(agents)}",
            hint="give one number for all, or one for each number of agents: --agents 1,10 --operations 100,50",
        )
    return tuple(map(Size, agents, operations))
