"""Why a message waits in its queue: every reason that holds it now. Pure.

Each kind of reason has a function, which finds it in the facts that the store, the supervisor and the workers gave.
"""

from __future__ import annotations

from collections.abc import Iterator

from squad.actors.why.reasons import Facts, Reason, at, down, first_line, held, sending, state_of, stopping, storage
from squad.durations import format_duration


def waits(facts: Facts) -> list[Reason]:
    """All that holds it. There is always one: at least, that others are before it."""
    standing = [reason for rule in _MAILBOX for reason in rule(facts)]
    later = list(_later(facts))
    if later:  # what passes by itself is over by then, or is seen then
        return [*(reason for reason in standing if reason.how == "by_hand"), *later]
    found = [*standing, *_occupied(facts)]
    return [*found, _turn(facts, found)]


# -- what holds the whole mailbox -------------------------------------------------------------------------------------


def _frozen(facts: Facts) -> Iterator[Reason]:
    frozen = facts.waiting.holds.frozen
    if frozen is not None:
        yield Reason("frozen", held(facts, "the squad has been frozen", frozen), "by_hand", command="squad thaw")


def _paused(facts: Facts) -> Iterator[Reason]:
    pause = facts.waiting.holds.paused.get(facts.name)
    if pause is not None:
        text = held(facts, f"{facts.name} has been paused", pause)
        yield Reason("paused", text, "by_hand", command=f"squad resume {facts.name}")


def _missing(facts: Facts) -> Iterator[Reason]:
    if facts.about is not None and not facts.about["known"]:
        text = f"the configuration has no agent or convoy called {facts.name!r}: put it back, and"
        yield Reason("missing", text, "by_hand", command="squad reload")


def _throttled(facts: Facts) -> Iterator[Reason]:
    pause, why = facts.about.get("throttled", (0.0, "")) if facts.about is not None else (0.0, "")
    if pause:
        text = f"the machine is overloaded ({why}): {format_duration(pause)} pass between two hand-outs of messages"
        yield Reason("throttled", text)


def _absent(facts: Facts) -> Iterator[Reason]:
    """While nobody of it can take messages: how it stands with each of its workers."""
    if facts.about is None or facts.able or not facts.about["known"]:
        return
    if facts.about["shut"]:
        text = f"{facts.name} was left out when the squad was started"
        yield Reason("stopped", text, "by_hand", command=f"squad restart {facts.name}")
    elif not facts.workers:
        yield Reason("starting", f"{facts.name} has no process yet")
    else:
        for worker in facts.workers:
            yield state_of(facts, worker)


_MAILBOX = (down, _frozen, _paused, _missing, stopping, storage, _throttled, _absent)


# -- what holds this message ------------------------------------------------------------------------------------------


def _later(facts: Facts) -> Iterator[Reason]:
    message, failure = facts.waiting.message, facts.waiting.failure
    if message.not_before is None or message.not_before <= facts.now:
        return
    when = f"in {format_duration(message.not_before - facts.now)}"
    if message.attempts and failure is not None and message.error_message in (None, failure.error):
        most = facts.about["attempts"] if facts.about is not None else None
        number = f"{message.attempts}{f' of {most}' if most else ''}"
        text = f"attempt {number} failed ({failure.outcome}: {first_line(failure.error)}): it is tried again {when}"
        yield Reason("retry", text, "known", message.not_before)
    elif facts.waiting.fence:
        why = f" ({first_line(message.error_message)})" if message.error_message else ""
        yield Reason("later", f"its handler has put it off{why}: it is taken up {when}", "known", message.not_before)
    else:
        yield Reason("delay", f"it was sent for later: it is ready {when}", "known", message.not_before)


def _occupied(facts: Facts) -> Iterator[Reason]:
    """All that could take it are at something, or have no token of their handle rate."""
    busy = [(worker, hand) for worker in facts.able if (hand := facts.hand(worker)) is not None]
    asked = [(worker, facts.doing.get(worker["worker"])) for worker in facts.able]
    dry = [(worker, doing) for worker, doing in asked if doing is not None and doing.next_token]
    taken = {worker["name"] for worker, _ in (*busy, *dry)}
    if len(taken) < len(facts.able):
        return  # one is free
    if dry:
        soonest = min(doing.next_token or 0.0 for _, doing in dry)
        tokens = max(doing.tokens or 0.0 for _, doing in dry)
        text = f"the handle_rate of {facts.name} is used up ({tokens:.2f} tokens)"
        text += f": the next token comes in {format_duration(soonest)}"
        yield Reason("handle_rate", text, "known", facts.now + soonest)
    if busy:
        told = [f"{worker['name']} handles {hand[1]} {hand[0]}, {facts.lasts(hand[2])} so far" for worker, hand in busy]
        timeout = facts.timeout
        if timeout is not None:
            told[-1] += f"; its time-out is {format_duration(timeout)}"
        ends = None if timeout is None else min(hand[2] for _, hand in busy) + timeout
        yield at("busy", ", ".join(told), ends, "at_latest")
    for worker, _ in busy:
        yield from sending(facts, worker)


def _turn(facts: Facts, others: list[Reason]) -> Reason:
    """Its place in the queue. An estimate is one only while nothing waits for somebody to do something."""
    waiting, ahead = facts.waiting, facts.waiting.ahead
    if ahead:
        text = f"{ahead:,} message{'s are' if ahead > 1 else ' is'} before it for {facts.name}, by priority and age"
    else:
        text = f"it is the next for {facts.name}, by priority and age"
    last = format_duration(waiting.seconds)
    if waiting.per_minute is None:
        text += f"; none has ended in the last {last}"
    else:
        text += f"; {waiting.per_minute:,.1f} a minute have ended in the last {last}"
    if (others and not ahead) or any(reason.how == "by_hand" for reason in others):
        return Reason("turn", text, "after")
    if waiting.per_minute is None or not ahead:
        return Reason("turn", text)
    return Reason("turn", text, "estimate", facts.now + ahead * 60 / waiting.per_minute)
