"""What a trace says of a message: a span for it from its arrival to its end, and one below it for each attempt.

Pure: rows in, spans out, without a word of OpenTelemetry's packages. Ids follow from the message's (``squad.trace``): a
message that is sent twice is the same spans again. A dead letter that was replayed has a further span, below its own.
Names of attributes are those of OpenTelemetry's semantic conventions for messaging and exceptions where these have one,
Langfuse's where they begin so, and our own below ``squad``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from squad.store.finished import Ended, Failure
from squad.trace import parent_of, span_id

Value = str | int | float | tuple[str, ...]

_LONGEST = 100_000  # characters of one attribute
_EXCEPTION = re.compile(r"([A-Za-z_][\w.]*): ?(.*)", re.DOTALL)
_LEVELS = {"completed": "DEFAULT", "failed": "ERROR"}  # of Langfuse; other ends are warnings
_SHORT = 200  # characters of a status
_CONTENT = ("squad.payload", "squad.result")
_LANGFUSE_CONTENT = ("langfuse.observation.input", "langfuse.observation.output")


@dataclass(frozen=True, slots=True)
class Exceptional:
    """The error that an attempt ended with. ``at``: nanoseconds since the epoch."""

    at: int
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Span:
    """``start`` and ``end`` in nanoseconds since the epoch. ``error``: why it failed; None: it did not."""

    agent: str
    name: str
    kind: Literal["consumer", "internal"]
    trace_id: int
    span_id: int
    parent_id: int | None
    start: int
    end: int
    attributes: dict[str, Value]
    error: str | None = None
    exceptions: tuple[Exceptional, ...] = ()


def spans_of(ended: Ended, squad: str, *, content: bool, langfuse: bool) -> list[Span]:
    """The spans of a message that has come to an end, its own first. ``content``: with payload and result."""
    trace, above = parent_of(ended.root_id, ended.parent_id, ended.traceparent)
    own = span_id(ended.task_id)
    if ended.replays:  # its own has been sent when it first ended
        own, above = span_id(ended.task_id, "replay", ended.replays), own
    attempts = [_failed(ended, failure, trace, own) for failure in ended.failures]
    if ended.status == "completed":
        attempts.append(_completed(ended, trace, own))
    end = max([_ns(ended.ended_at), *(attempt.end for attempt in attempts)])
    start = _ns(ended.created_at)
    if ended.replays:
        start = min((attempt.start for attempt in attempts), default=end)
    attributes: dict[str, Value] = {
        **_message(ended),
        "squad.status": ended.status,
        "squad.sender": ended.sender,
        "squad.priority": ended.priority,
        "squad.attempts": len(attempts),
    }
    if attempts and not ended.replays:
        attributes["squad.waiting_ms"] = max(0, attempts[0].start - start) // 1_000_000
    if content:
        attributes |= _content(ended, *(_LANGFUSE_CONTENT if langfuse else _CONTENT))
    if langfuse:
        attributes |= _for_langfuse(ended)
        attempts = [_to_langfuse(attempt, ended, squad) for attempt in attempts]
    error = None
    if ended.status in ("failed", "expired"):
        error = _first_line(ended.error or ended.status)
        attributes["error.type"] = _class_of(ended.error or "") or ended.status
    name = f"process {ended.type}" if not ended.replays else f"replay {ended.type}"
    message = Span(ended.recipient, name, "consumer", trace, own, above, min(start, end), end, attributes, error)
    return [_to_langfuse(message, ended, squad) if langfuse else message, *attempts]


def _message(ended: Ended) -> dict[str, Value]:
    return {
        "messaging.system": "squad",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": ended.recipient,
        "messaging.message.id": ended.task_id,
        "messaging.message.conversation_id": ended.root_id,
        "squad.type": ended.type,
    }


def _completed(ended: Ended, trace: int, above: int) -> Span:
    number = max((failure.number for failure in ended.failures), default=ended.earlier) + 1
    start = _ns(ended.started_at or ended.ended_at)
    end = start + (ended.duration_ms or 0) * 1_000_000
    about = {**_of_attempt(ended, number, ended.worker), "squad.attempt.outcome": "done"}
    return _attempt(ended, number, (trace, above), (start, end), about)


def _failed(ended: Ended, failure: Failure, trace: int, above: int) -> Span:
    end = _ns(failure.ended_at)
    start = min(_ns(failure.started_at or failure.ended_at), end)
    kind = _class_of(failure.error) or failure.outcome
    about = {
        **_of_attempt(ended, failure.number, failure.worker),
        "squad.attempt.outcome": failure.outcome,
        "error.type": kind,
    }
    found = _EXCEPTION.match(failure.error)
    said = _first_line(found[2] if found and _class_of(failure.error) else failure.error)
    raised: dict[str, Value] = {
        "exception.type": kind,
        "exception.message": said,
        "exception.stacktrace": _cut(failure.error),
    }
    made = _attempt(ended, failure.number, (trace, above), (start, end), about)
    return replace(made, error=_first_line(failure.error), exceptions=(Exceptional(end, raised),))


def _attempt(
    ended: Ended, number: int, place: tuple[int, int], times: tuple[int, int], about: dict[str, Value]
) -> Span:
    own = span_id(ended.task_id, "attempt", number)
    return Span(ended.recipient, f"attempt {number}", "internal", place[0], own, place[1], *times, about)


def _of_attempt(ended: Ended, number: int, worker: str | None) -> dict[str, Value]:
    about: dict[str, Value] = {"messaging.message.id": ended.task_id, "squad.attempt.number": number}
    if worker is not None:
        about["messaging.client.id"] = worker
    return about


def _content(ended: Ended, payload: str, result: str) -> dict[str, Value]:
    found: dict[str, Value] = {payload: _cut(ended.payload)}
    found["messaging.message.body.size"] = len(ended.payload.encode(errors="replace"))
    if ended.result is not None:
        found[result] = _cut(ended.result)
    return found


def _for_langfuse(ended: Ended) -> dict[str, Value]:
    found: dict[str, Value] = {
        "langfuse.observation.type": "agent",
        "langfuse.observation.level": _LEVELS.get(ended.status, "WARNING"),
    }
    if ended.error:
        found["langfuse.observation.status_message"] = _first_line(ended.error)
    return found


def _to_langfuse(span: Span, ended: Ended, squad: str) -> Span:
    """With what Langfuse wants on every span of a trace, so that it can be filtered by it."""
    span.attributes.setdefault("langfuse.observation.type", "span")
    span.attributes["langfuse.trace.tags"] = (squad,)
    if ended.root_type is not None:
        span.attributes["langfuse.trace.name"] = ended.root_type
    return span


def _class_of(error: str) -> str:
    """The name of the exception that an error begins with, if it does."""
    found = _EXCEPTION.match(error.partition("\n")[0])
    return found[1] if found and found[1].rpartition(".")[2][:1].isupper() else ""


def _first_line(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"


def _cut(text: str) -> str:
    more = len(text) - _LONGEST
    return text if more <= 0 else f"{text[:_LONGEST]}… ({more:,} characters more)"


def _ns(at: str) -> int:
    """Nanoseconds since the epoch of a time in the tables; 0 for what somebody else wrote there."""
    try:
        return max(0, round(datetime.fromisoformat(at).timestamp() * 1000)) * 1_000_000
    except (ValueError, OverflowError):
        return 0
