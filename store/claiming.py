"""How messages are handed out: by priority, then age, for many recipients at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from squad.store.bulk import Bulk
from squad.store.leases import Leased
from squad.store.rows import Lease
from squad.store.session import Session
from squad.store.times import iso

Wanted = Mapping[str, Sequence[tuple[str, int]]]
"""Recipient -> its workers, in the order in which they are served, each with how many messages it takes."""

PICK = """
    SELECT id, fence + 1, task_id, sender, type, payload, priority, attempts + 1, COALESCE(root_id, task_id),
           traceparent, expires_at, reply_to, COALESCE(ready_at, created_at)
    FROM tasks
    WHERE recipient = ? AND status = 'queued' AND not_before IS NULL AND (expires_at IS NULL OR expires_at > ?)
    ORDER BY priority, id
    LIMIT ?
"""
CLAIM = Bulk(
    """
    WITH claimed (row, worker) AS (VALUES {rows})
    UPDATE tasks SET status = 'running', lease_owner = claimed.worker, fence = fence + 1, claimed_at = ?
    FROM claimed WHERE tasks.id = claimed.row
    """,
    "(?, ?)",
)
_LEASE = 10  # columns of PICK that are a Lease
_PRIORITY = 6  # the place of it among them


def claim(session: Session, wanted: Wanted, now: float) -> dict[str, list[Lease]]:
    """By worker what it was given; nothing for a worker that was given nothing."""
    at = iso(now)
    given: dict[str, list[Lease]] = {}
    claims: list[tuple[int, str]] = []
    remembered: list[Leased] = []
    for recipient, workers in wanted.items():
        most = sum(room for _, room in workers)
        picked = session.connection.execute(PICK, (recipient, now, most)).fetchall()
        rows = iter(picked)
        for worker, room in workers:
            if leases := [Lease._make(row[:_LEASE]) for row in islice(rows, room)]:
                given.setdefault(worker, []).extend(leases)
                claims += [(lease[0], worker) for lease in leases]
        remembered += [
            Leased(
                row, fence, worker, recipient, kind, attempt - 1, task_id, root_id, at, expires_at, reply_to, ready, top
            )
            for (row, fence, task_id, _, kind, _, top, attempt, root_id, _, expires_at, reply_to, ready), (
                _,
                worker,
            ) in zip(picked, claims[len(remembered) :], strict=True)
        ]
        for priority, number in _priorities(picked):
            session.queue((recipient, priority, False), -number)
    CLAIM.run(session.connection, claims, at)
    session.leases.remember(remembered)
    return given


def _priorities(picked: Sequence[Sequence[Any]]) -> Iterable[tuple[int, int]]:
    """How many there are of each priority, by which they are sorted."""
    if picked and picked[0][_PRIORITY] != picked[-1][_PRIORITY]:
        return Counter(row[_PRIORITY] for row in picked).items()
    return [(row[_PRIORITY], len(picked)) for row in picked[:1]]
