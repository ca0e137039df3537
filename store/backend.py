"""What a store must be able to do, whatever database is behind it.

The broker and the reads know a store by these protocols only; everything that is particular to SQLite is behind
``squad.store.writer.Writer``, ``squad.store.database.Pool`` and ``squad.store.upkeep.Upkeep``, the one backend that
there is. What the methods promise is tested in ``tests/store/conformance``, which another backend will have to pass.

Times are seconds since the epoch. Whatever fails in the database raises StoreError. ``Writer`` describes each method.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database

    from squad.events import Event
    from squad.store.claiming import Wanted
    from squad.store.database import PoolStats
    from squad.store.desk import Dead
    from squad.store.ends import Cancelling
    from squad.store.incidents import Change, Order
    from squad.store.metrics.journal import Measured
    from squad.store.retention import Limits, Place, Portion
    from squad.store.rows import DeadFilter, Lease, NewTask, Running, Submitted
    from squad.store.settlement import Settlement
    from squad.store.settling import Batch, Ceiling, Policy
    from squad.store.tidying import Pages
    from squad.store.upkeep import Candidate, Copy, Examination, Restored


class Transactions(Protocol):
    """All that changes anything happens inside ``transaction()``, on one thread at a time, and raises RuntimeError
    elsewhere."""

    def transaction(self) -> AbstractContextManager[None]:
        """All of it becomes durable at the end, or none of it when anything escapes. Does not nest."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Inside a transaction: what escapes from the block undoes what was done in it, and nothing else."""

    def close(self) -> None: ...


class Mailboxes(Protocol):
    """Messages from their sending to their end."""

    def submit(self, rows: Sequence[NewTask], now: float) -> list[Submitted]: ...

    def claim(self, wanted: Wanted, now: float) -> dict[str, list[Lease]]: ...

    def settle(self, batches: Sequence[Batch], now: float, policy: Policy, ceiling: Ceiling = ...) -> Settlement: ...

    def release(  # noqa: PLR0913, PLR0917 - as Writer.release
        self,
        worker: str,
        in_hand: tuple[int, int] | None,
        reason: str,
        charge: bool,
        now: float,
        policy: Policy,
        kind: str = "crash",
    ) -> Settlement: ...

    def requeue(self, leases: Sequence[Running], now: float) -> Settlement: ...

    def due(self, now: float) -> Settlement: ...

    def drop_oldest(self, recipient: str, count: int, why: str, now: float) -> Settlement: ...

    def cancel(self, task_id: str, tree: bool, now: float) -> Cancelling: ...


class DeadLetters(Protocol):
    """Messages that have failed for good, until somebody takes them up."""

    def dead(self, which: Sequence[str] | DeadFilter) -> list[Dead]: ...

    def replay(self, dead: Sequence[Dead], ceiling: Ceiling, now: float) -> Settlement: ...

    def edit(self, letter: Dead, payload: str, now: float) -> None: ...

    def drop(self, dead: Sequence[Dead], now: float) -> None: ...


class Questions(Protocol):
    """What the broker asks of the store, inside a transaction or not."""

    def depth(self, recipient: str) -> int: ...

    @property
    def depths(self) -> dict[str, int]: ...

    @property
    def changed(self) -> Mapping[str, int]: ...

    def next_due(self) -> float | None: ...

    def open_leases(self) -> list[Running]: ...

    def cancelling(self) -> list[Running]: ...

    def state(self, agent: str) -> tuple[int, str]: ...

    def ended(self, task_id: str) -> bool: ...

    def tree_ended(self, task_id: str) -> bool: ...

    def get(self, key: str) -> str | None: ...


class History(Protocol):
    """Rows that are only ever appended, and the few that are kept by key."""

    def record_events(self, events: Sequence[Event], now: float) -> None: ...

    def record_samples(self, samples: Sequence[tuple[float, float, int, int, float]], now: float) -> None: ...

    def record_resizes(self, resizes: Sequence[tuple[str, int, int, str, str]], now: float) -> None: ...

    def put(self, pairs: Sequence[tuple[str, str]], now: float) -> None: ...


class Tidying(Protocol):
    """Keeping a store small, a little at a time."""

    def retire(self, step: str, after: Place, limits: Limits, rows: int) -> Portion: ...

    def give_back(self, number: int) -> None: ...

    def pages(self) -> Pages: ...

    def checkpoint(self, *, truncate: bool = ...) -> bool: ...


class Metrics(Protocol):
    """What was measured: counted by the store itself while messages change, or handed in."""

    enabled: bool

    @property
    def pending(self) -> bool: ...

    def add(self, measured: Sequence[Measured]) -> None: ...

    def write(self, now: float) -> None: ...

    def fold(self, now: float, keep: float) -> bool: ...


class Incidents(Protocol):
    """What becomes of alerts."""

    def change(self, changes: Sequence[Change], now: float) -> list[NewTask]: ...

    def carry_out(self, order: Order, now: float) -> tuple[str, ...]: ...


class Backend(Transactions, Mailboxes, DeadLetters, Questions, History, Protocol):
    """The writing side of a store: one at a time for each store, held by the storage actor."""

    @property
    def metrics(self) -> Metrics: ...

    @property
    def tidying(self) -> Tidying: ...

    @property
    def incidents(self) -> Incidents: ...


class Reading(Protocol):
    """The reading side: connections that cannot write, for many threads, on which ``squad.store.queries`` and
    ``squad.store.history`` ask. They see whole transactions only, and at once when these are durable."""

    def connection(self) -> AbstractContextManager[Database]:
        """Raises BackpressureError when there is none in time."""

    def stats(self) -> PoolStats: ...

    def close(self) -> None: ...


class Upkeep(Protocol):
    """Of a store as a whole, beside whoever writes and reads it."""

    def examine(self, *, full: bool = ..., workers: Collection[str] | None = ...) -> Examination: ...

    def back_up(self, target: Path, *, force: bool = ...) -> Copy: ...

    def candidate(self, file: Path) -> Candidate: ...

    def restore(self, candidate: Candidate) -> Restored:
        """Only while nobody writes or reads."""
