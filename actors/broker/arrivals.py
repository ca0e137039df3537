"""Messages that come from outside a handler: stored if their mailboxes have room for them.

What one request brings is stored whole or not at all. Requests that arrive together are stored together; only when
that fails is each tried by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from squad.actors.broker.rules import Bound
from squad.actors.protocol import Address, Refusal, Submit, SubmitDone
from squad.errors import QueueFullError, StoreError
from squad.store.backend import Backend
from squad.store.rows import NewTask, Submitted

Rows = Sequence[NewTask]
BoundOf = Callable[[str], Bound | None]


def store(
    writer: Backend, submits: Sequence[tuple[Submit, Address]], bound: BoundOf, now: float
) -> Iterator[tuple[Address, SubmitDone, Rows]]:
    """In a transaction: what to answer to each, and the rows of it that are stored."""
    everything = [row for msg, _ in submits for row in msg.rows]
    stored = _together(writer, everything, bound, now)
    start = 0
    for msg, sender in submits:
        if stored is not None:
            end = start + len(msg.rows)
            answer = SubmitDone(msg.request, tuple(stored[start:end]))
            rows: Rows = msg.rows
            start = end
        else:
            answer, rows = _by_parts(writer, msg, bound, now)
        if msg.put and not answer.error:
            writer.put(msg.put, now)
        yield sender, answer, rows


def _together(writer: Backend, rows: Rows, bound: BoundOf, now: float) -> list[Submitted] | None:
    for recipient, number in Counter(row.recipient for row in rows).items():
        of = bound(recipient)
        if of is not None and not of.drop and writer.depth(recipient) + number > of.limit:
            return None
    try:
        return writer.submit(rows, now)
    except StoreError:
        return None


def _by_parts(writer: Backend, msg: Submit, bound: BoundOf, now: float) -> tuple[SubmitDone, Rows]:
    results: list[Submitted] = []
    rows: list[NewTask] = []
    refused: list[tuple[int, Refusal]] = []
    start = 0
    for number, size in enumerate(msg.groups or (len(msg.rows),)):
        part = msg.rows[start : start + size]
        start += size
        try:
            results += _fitting(writer, part, bound, now)
            rows += part
        except QueueFullError as error:
            refused.append((number, Refusal(error.message, error.hint, full=True)))
        except StoreError as error:
            refused.append((number, Refusal(str(error))))
    nothing = refused[0][1].error if refused and not results else ""
    return SubmitDone(msg.request, tuple(results), nothing, tuple(refused)), rows


def _fitting(writer: Backend, rows: Rows, bound: BoundOf, now: float) -> list[Submitted]:
    """Store all or nothing. Raises QueueFullError and StoreError.

    The rows are counted when they are in: those that had been stored before need no room.
    """
    before = {row.recipient: writer.depth(row.recipient) for row in rows}
    with writer.savepoint():
        stored = writer.submit(rows, now)
        for recipient, waited in before.items():
            of = bound(recipient)
            more = writer.depth(recipient) - waited
            if of is not None and not of.drop and more and waited + more > of.limit:
                raise _full(recipient, waited, more, of.limit)
    return stored


def _full(recipient: str, waiting: int, more: int, limit: int) -> QueueFullError:
    there = f"{waiting:,} message{' waits' if waiting == 1 else 's wait'} there, and its limit is {limit:,}"
    if more == 1:
        what = f"the mailbox of {recipient!r} is full: {there}"
    else:
        what = f"{more:,} more messages do not fit the mailbox of {recipient!r}: {there}; none of them is queued"
    return QueueFullError(
        what,
        hint=f"squad queue shows how many wait; send again when there is room, or raise queue.limit of {recipient} in "
        "the configuration",
    )
