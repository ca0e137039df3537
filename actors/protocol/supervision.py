"""The squad itself: who starts, lives, changes and ends, how it is measured, and how it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from squad.actors.protocol.address import Address
from squad.store.metrics.journal import Measured


@dataclass(frozen=True, slots=True)
class Boot:
    """Launcher to supervisor: bring this squad up."""

    home: str
    config: Any  # squad.config.schema.SquadConfig
    generation: int  # how many trees this launcher has started, from 1
    recipients: dict[str, frozenset[str]]  # every agent and convoy, and the types it handles
    only: frozenset[str] | None = None  # start these; the others accept messages and wait (None: start all)


@dataclass(frozen=True, slots=True)
class Booting:
    """Supervisor to launcher: understood; watch this process."""

    pid: int


@dataclass(frozen=True, slots=True)
class StopSquad:
    """Launcher to supervisor: drain for up to ``grace`` seconds (0: at once), then end everything and exit."""

    grace: float


@dataclass(frozen=True, slots=True)
class Begin:
    """Supervisor to each new child: who you are and what you need."""

    spec: Any  # a ChildSpec of squad.actors.supervision.children
    worker: str  # this process's name in leases: "checker-2/1f3a9c0d"
    home: str
    config: Any
    storage: Address | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """Child to supervisor: alive. A Report says when it can do its work."""

    worker: str


@dataclass(frozen=True, slots=True)
class StartFailed:
    """Child to supervisor: cannot start and will exit; ``error`` is for people."""

    worker: str
    error: str


@dataclass(frozen=True, slots=True)
class Report:
    """Child to supervisor: how it is. At most one a second, only on change."""

    worker: str
    state: str  # starting, idle, busy, draining
    handled: int = 0
    in_hand: int = 0
    tokens: float | None = None
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Ping:
    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    number: int
    worker: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Supervisor to agent: take nothing new, give back what has not begun, finish the handler, answer Drained."""


@dataclass(frozen=True, slots=True)
class Drained:
    worker: str
    unfinished: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaving:
    """Agent to supervisor: I end on purpose; not a crash. ``finished``: because my work is done; ``timed_out``: because
    a handler ran for too long."""

    worker: str
    reason: str
    finished: bool = False
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class StorageAt:
    """Supervisor to everybody: the storage actor lives here now; say again what it has not acknowledged."""

    address: Address


@dataclass(frozen=True, slots=True)
class Share:
    """Supervisor to a convoy's worker: the convoy's rates are now split among so many."""

    workers: int


# -- monitor --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Roster:
    """Supervisor to monitor: the processes that exist now: (worker, pid)."""

    processes: tuple[tuple[str, int], ...]
    convoys: tuple[tuple[str, int, bool, tuple[str, ...]], ...] = ()  # name, size, pinned, workers
    failed: tuple[tuple[str, str, bool, str], ...] = ()  # name, agent or convoy, whether quarantined, why
    storage: str = ""  # why it cannot write, while it cannot
    stopping: bool = False  # the squad is


@dataclass(frozen=True, slots=True)
class Readings:
    """Monitor to supervisor: CPU percent (of one core) and resident bytes of those workers of which they changed."""

    workers: tuple[tuple[str, float, int], ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """Monitor to supervisor: a reading for the record (see store/recording.py), and the throttle as it is now.

    ``reason`` is why the throttle has changed; empty: it has not. ``metrics`` were measured since the reading before.
    """

    sample: tuple[float, float, int, int, float]
    reason: str = ""
    metrics: tuple[Measured, ...] = ()

    @property
    def pause(self) -> float:
        return self.sample[-1]


@dataclass(frozen=True, slots=True)
class OverCeiling:
    """Monitor to supervisor: a worker takes more memory or CPU than its ceiling (``over``: end it), or nearly so."""

    worker: str
    what: str
    over: bool


@dataclass(frozen=True, slots=True)
class Resize:
    """Monitor or gateway to supervisor: a convoy's size. With ``pin`` it is set by hand and stays so.

    ``size`` None: back to automatic.
    """

    convoy: str
    size: int | None
    reason: str
    readings: str = "{}"
    pin: bool = False
    request: str = ""


@dataclass(frozen=True, slots=True)
class Reload:
    """Gateway to supervisor: run this configuration from now on; with ``dry_run`` only say what would be done."""

    request: str
    config: Any  # squad.config.schema.SquadConfig
    recipients: dict[str, frozenset[str]]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Configured:
    """Supervisor to everybody that goes on through a reload. Agents read in the home what they need of the rest."""

    logging: Any  # squad.config.schema.LoggingConfig
    recipients: dict[str, frozenset[str]]
    config: Any = None  # the whole configuration; for storage and gateway only
    traced: bool = False  # whether it has exporters


# -- gateway --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inspect:
    request: str
    brief: bool = False  # without what the handlers are at, which takes a file for each


@dataclass(frozen=True, slots=True)
class Tree:
    """Supervisor to gateway: the actor tree, a mapping for each actor (see ``squad.actors.supervision.tree``)."""

    request: str
    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """Gateway to supervisor: restart an agent or a convoy by name; ends its quarantine."""

    request: str
    name: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Supervisor to gateway: what came of a Restart or Resize. ``error`` is empty when it was done."""

    request: str
    error: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
