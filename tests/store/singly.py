"""One agent, one worker: what a test mostly has. A store is asked for many at once."""

from __future__ import annotations

from collections.abc import Sequence

from squad.store.backend import Backend
from squad.store.rows import Lease, Outcome
from squad.store.settlement import Settlement
from squad.store.settling import Batch, Ceiling, Policy


def claim(writer: Backend, recipient: str, worker: str, limit: int, now: float) -> list[Lease]:
    """Up to ``limit`` ready messages for ``recipient``, leased to ``worker``."""
    return writer.claim({recipient: [(worker, limit)]}, now).get(worker, [])


def settle(  # noqa: PLR0917 - as an agent's worker says it
    writer: Backend,
    worker: str,
    agent: str,
    outcomes: Sequence[Outcome],
    now: float,
    policy: Policy,
    ceiling: Ceiling = lambda recipient: None,
) -> Settlement:
    """The ends of leases of ``worker``, which is (one of) the agent ``agent``."""
    return writer.settle([Batch(worker, agent, outcomes)], now, policy, ceiling)
