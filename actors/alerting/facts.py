"""What the rules judge: the readings of one moment, by agent or convoy. Times are seconds, unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Running(NamedTuple):
    """The message that an agent has been handling for longest."""

    task_id: str
    milliseconds: float


class Spread(NamedTuple):
    """How long handlers ran."""

    p95: float  # milliseconds
    handled: int


class Failures(NamedTuple):
    """``dead``: messages that became dead letters; ``failed`` of all ``attempts`` did."""

    dead: int = 0
    failed: int = 0
    attempts: int = 0


class Down(NamedTuple):
    """Of an agent, or of a convoy's workers: those that failed and are not ready again, of ``all`` that there are."""

    names: tuple[str, ...]
    quarantined: bool
    of: int
    why: str


class Memory(NamedTuple):
    """A process and its ceiling, bytes."""

    name: str
    resident: int
    ceiling: int


@dataclass(frozen=True, slots=True)
class Live:
    """What the monitor knows by itself."""

    down: Mapping[str, Down] = field(default_factory=dict)
    memory: Mapping[str, Memory] = field(default_factory=dict)  # by agent, the process that is nearest to its ceiling
    machine_percent: float = 0.0
    throttle: float = 0.0  # the pause between two hand-outs
    storage: str = ""  # why it cannot write; "" when it can


@dataclass(frozen=True, slots=True)
class Stored:
    """What is read from the store. ``own``: by the name of a user's rule, its number; by agent, "" for all together.

    An agent that is missing has nothing to show: that is well, except in ``own``, where a number that is missing is not
    known.
    """

    slowest: Mapping[str, float] = field(default_factory=dict)  # milliseconds, of those that completed lately
    running: Mapping[str, Running] = field(default_factory=dict)
    spread: Mapping[str, Spread] = field(default_factory=dict)
    failures: Mapping[str, Failures] = field(default_factory=dict)
    depths: Mapping[str, int] = field(default_factory=dict)  # ready messages
    own: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
