"""What has arrived for the broker, and acknowledgements that wait for company."""

from __future__ import annotations

from squad.actors.broker.acknowledgements import Acknowledgements
from squad.actors.broker.gathering import Gathering
from squad.clock import SYSTEM


def test_all_that_is_there_is_one_batch_in_its_order() -> None:
    gathering = Gathering(SYSTEM)
    for number in range(1000):
        gathering.put(number)

    assert gathering.batch(0) == list(range(1000))
    assert gathering.batch(0) == []


def test_it_is_busy_right_after_a_commit_and_not_otherwise() -> None:
    gathering = Gathering(SYSTEM)
    gathering.put(1)
    gathering.batch(0)
    assert not gathering.busy

    gathering.committed(SYSTEM.monotonic() + 60)
    gathering.put(2)
    assert gathering.batch(0) == [2]
    assert gathering.busy


def test_acknowledgements_wait_for_a_delivery_or_for_their_time() -> None:
    kept = Acknowledgements()
    kept.keep("a", [(1, 1, True)], 10.0)
    kept.keep("a", [(2, 1, True)], 10.2)
    kept.keep("b", [(3, 1, False)], 10.2)

    assert kept.due == 10.25
    assert kept.overdue(10.2) == []
    assert kept.take("a") == [(1, 1, True), (2, 1, True)]
    assert kept.take("a") == []
    assert kept.overdue(10.25) == ["b"]
    assert kept.take("b") == [(3, 1, False)]
    assert kept.due is None
