"""Every message between Squad's own actors, in one place.

All are frozen dataclasses that carry plain values. Any of them may be lost or arrive twice: whatever matters is a row
in the store, is acknowledged, and is said again by whoever has not heard the acknowledgement. Users' messages never
travel as Python objects: they are the JSON text in ``NewTask.payload`` and ``Lease.payload``.

An address is Thespian's ``ActorAddress``, opaque here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from squad.errors import SquadError
from squad.events import Event
from squad.store.rows import DeadFilter, Lease, NewTask, Outcome, Refusal, Submitted

Address = Any

__all__ = ["Lease", "NewTask", "Outcome", "Refusal", "Submitted"]


# -- supervision ----------------------------------------------------------------------------------------------------


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

    spec: Any  # a ChildSpec of squad.actors.children
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
    """Agent to supervisor: I end on purpose; not a crash. ``finished``: because my work is done."""

    worker: str
    reason: str
    finished: bool = False


@dataclass(frozen=True, slots=True)
class StorageAt:
    """Supervisor to everybody: the storage actor lives here now; say again what it has not acknowledged."""

    address: Address


@dataclass(frozen=True, slots=True)
class Share:
    """Supervisor to a convoy's worker: the convoy's rates are now split among so many."""

    workers: int


# -- storage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StorageReady:
    """Storage to supervisor: open, migrated and serving. ``kept`` is what the supervisor asked it to keep."""

    worker: str
    kept: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Submit:
    """Anyone to storage: make these messages durable. Answered by SubmitDone after the commit."""

    request: str
    rows: tuple[NewTask, ...]
    put: tuple[tuple[str, str], ...] = ()  # (key, JSON) into the keeper table, committed together with the rows
    groups: tuple[int, ...] = ()  # sizes of the parts that are stored whole or not at all; (): all are one


@dataclass(frozen=True, slots=True)
class SubmitDone:
    """``results`` are those of the parts that were stored, in order; ``refused`` the others, by number from 0."""

    request: str
    results: tuple[Submitted, ...]
    error: str = ""  # set: nothing at all was stored
    refused: tuple[tuple[int, Refusal], ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to storage: I take messages for ``recipient``, up to ``window`` at once, and hold these leases.

    Said at the start, whenever ``window`` changes, now and then, and after every StorageAt. Storage hands out
    ``window`` less what the worker has not settled; no message is needed to ask for the next one. A lease which
    storage believes the worker to have but which is not in ``held`` was lost on the way and is delivered again.
    """

    recipient: str
    worker: str
    window: int
    held: tuple[tuple[int, int], ...] = ()  # (row, fence)
    want_state: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Storage to worker: the agent's durable state, in answer to a Ready with ``want_state``."""

    version: int
    text: str  # JSON object


@dataclass(frozen=True, slots=True)
class Deliver:
    """Storage to worker: new leases, and the fate of the outcomes it sent: (row, fence, accepted)."""

    leases: tuple[Lease, ...] = ()
    settled: tuple[tuple[int, int, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Settle:
    """Worker to storage: how these leases ended. Said again until a Deliver names them in ``settled``."""

    recipient: str
    worker: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """Supervisor to storage: this worker is gone, so its leases return. ``in_hand`` is charged an attempt."""

    worker: str
    in_hand: tuple[int, int] | None  # (row, fence)
    reason: str
    charge: bool = True


@dataclass(frozen=True, slots=True)
class ReleaseDone:
    """Storage to supervisor: the release of this worker's leases is committed."""

    worker: str


@dataclass(frozen=True, slots=True)
class CancelLease:
    """Storage to worker: this lease's message is cancelled. Said again whenever the worker is heard of."""

    row: int
    fence: int


@dataclass(frozen=True, slots=True)
class Evict:
    """Storage to supervisor: this worker went on with a cancelled message past its grace. End its process."""

    worker: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Gateway to storage: end this message (with ``tree``: and all that came of it)."""

    request: str
    task_id: str
    tree: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """``cancelled`` messages that waited have ended; the handlers of ``running`` others have been told."""

    request: str
    cancelled: int
    running: int


@dataclass(frozen=True, slots=True)
class Desk:
    """Gateway to storage: do this with dead letters, given by their ids or by a filter."""

    request: str
    action: Literal["replay", "edit", "drop"]
    which: tuple[str, ...] | DeadFilter
    payload: str = ""  # for edit: JSON text that fits the type
    dry_run: bool = False  # only say which


@dataclass(frozen=True, slots=True)
class DeskDone:
    """The ids of the dead letters, or the error for which nothing was done."""

    request: str
    ids: tuple[str, ...] = ()
    error: SquadError | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Gateway to storage: say Watched once this message (with ``tree``: and all that came of it) has ended."""

    request: str
    task_id: str
    tree: bool


@dataclass(frozen=True, slots=True)
class Unwatch:
    request: str


@dataclass(frozen=True, slots=True)
class Watched:
    request: str


@dataclass(frozen=True, slots=True)
class Record:
    """Anyone to storage: append these rows to the tables of history. Not acknowledged: history may have gaps."""

    events: tuple[Event, ...] = ()
    resizes: tuple[tuple[str, int, int, str, str], ...] = ()  # convoy, from, to, reason, readings JSON
    put: tuple[tuple[str, str], ...] = ()  # (key, JSON) into the keeper table


# -- monitor --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Roster:
    """Supervisor to monitor: the processes that exist now: (worker, pid)."""

    processes: tuple[tuple[str, int], ...]
    convoys: tuple[tuple[str, int, bool, tuple[str, ...]], ...] = ()  # name, size, pinned, workers


@dataclass(frozen=True, slots=True)
class Readings:
    """Monitor to supervisor: per worker CPU percent (of one core) and resident bytes, and the machine's own."""

    workers: tuple[tuple[str, float, int], ...]
    cpu_percent: float
    memory_percent: float
    available: int  # bytes


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
    """Supervisor to everybody that goes on through a reload: the configuration and the recipients are these now."""

    config: Any
    recipients: dict[str, frozenset[str]]


# -- gateway --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inspect:
    request: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Supervisor to gateway: the actor tree, a mapping for each actor (see ``squad.actors.tree``)."""

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
