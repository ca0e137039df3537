"""What the broker believes its workers to hold."""

from __future__ import annotations

from squad.actors.broker.rounds import Round
from squad.actors.broker.workers import Workers
from squad.actors.protocol import Ready
from squad.store.rows import Lease

LEASE = Lease(7, 1, "id", "cli", "work", "{}", 5, 1, "id")


def delivered(at: float) -> Workers:
    workers = Workers()
    workers.heard(Ready("a", "a.1", 2), "address")
    done = Round()
    done.leases["a.1"].append(LEASE)
    workers.commit(done, at)
    return workers


def test_a_delivery_is_lost_when_its_worker_does_not_name_it_long_after() -> None:
    workers = delivered(at=100.0)

    assert workers.lost(Ready("a", "a.1", 2, heard=101.0)) == []
    assert workers.lost(Ready("a", "a.1", 2, (LEASE.claim,), heard=110.0)) == []
    assert [lost.row for lost in workers.lost(Ready("a", "a.1", 2, heard=110.0))] == [7]


def test_what_a_worker_said_before_the_delivery_is_no_news_of_it() -> None:
    """However late the broker comes to it."""
    assert delivered(at=100.0).lost(Ready("a", "a.1", 2, heard=99.0)) == []
