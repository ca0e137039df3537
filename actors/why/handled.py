"""Why a message that runs has not ended: who has it, and what holds that up. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from squad.actors.why.reasons import Facts, Reason, Worker, at, down, held, sending, state_of, stopping, storage
from squad.durations import format_duration
from squad.store.times import seconds


def runs(facts: Facts) -> list[Reason]:
    return [reason for rule in _RUNNING for reason in rule(facts)]


def holder(facts: Facts) -> Worker | None:
    """The process that has it."""
    own = facts.waiting.own
    return next((worker for worker in facts.workers if own is not None and worker["worker"] == own.worker), None)


def _leased(facts: Facts) -> Iterator[Reason]:
    own = facts.waiting.own
    if own is None:
        return
    lease = f"under lease {own.fence} {facts.lasts(seconds(own.claimed_at))}"
    worker = holder(facts)
    if facts.about is None:
        yield Reason("running", f"{own.worker} has it {lease}, as far as the database knows")
    elif worker is None:
        yield Reason("released", f"{own.worker} had it {lease}, and is gone: it goes back into the queue")
    elif (hand := facts.hand(worker)) is None:
        yield Reason(
            "handed_over", f"{worker['name']} has it {lease}: its handler is about to begin, or has just ended"
        )
    elif hand[0] != own.task_id:
        text = (
            f"{worker['name']} has it {lease}, and handles {hand[1]} {hand[0]} before it, {facts.lasts(hand[2])} so far"
        )
        yield Reason("behind", text)
    else:
        timeout = facts.timeout
        limit = "" if timeout is None else f"; its time-out is {format_duration(timeout)}"
        text = f"{worker['name']} handles it, {facts.lasts(hand[2])} so far, {lease}{limit}"
        yield at("running", text, None if timeout is None else hand[2] + timeout, "at_latest")


def _cancelled(facts: Facts) -> Iterator[Reason]:
    own = facts.waiting.own
    if own is not None and own.cancelling:
        what = "it is cancelled" if own.cancelling == "one" else "it is cancelled with all that came of it"
        yield Reason("cancelled", f"{what}: its handler was told to end, and is ended with its process after its grace")


def _frozen(facts: Facts) -> Iterator[Reason]:
    frozen = facts.waiting.holds.frozen
    if frozen is None or facts.about is None:
        return
    text = held(facts, "the squad has been frozen", frozen)
    if frozen.until is None:
        yield Reason("frozen", f"{text}; its handler may finish")
    else:
        yield at("frozen", f"{text}; its process is ended unless it finishes before", frozen.until, "at_latest")


def _held_up(facts: Facts) -> Iterator[Reason]:
    """Its worker waits to send, is silent, or ends."""
    worker = holder(facts)
    if worker is not None:
        yield from sending(facts, worker)
        if worker["state"] in ("hung", "draining"):
            yield state_of(facts, worker)


_RUNNING = (down, _leased, _cancelled, _frozen, _held_up, storage, stopping)
