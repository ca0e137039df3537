"""Every error that Squad raises, as one tree, and the exit statuses of its commands.

SquadError
├── RefusedError            a message that was not accepted (exit 2)
│   ├── QueueFullError
│   └── RateLimitError      a token bucket is empty
├── UsageError              a request that makes no sense (exit 2)
├── NotRunningError         no squad answers for this home (exit 3)
├── ConfigError             a configuration with mistakes (exit 4)
├── WaitTimeoutError        what was waited for did not happen in time (exit 5)
├── AlreadyRunningError     another squad holds this home
├── HomeError               the home directory cannot be used
├── StartError              the squad did not come up
├── CommandFailedError      the command of an agent failed: an attempt
├── CommandTimeoutError     likewise: it ran longer than its time-out
└── StoreError              the database cannot do what was asked
    ├── NewerDatabaseError  it was written by a newer version of Squad
    ├── DamagedError        it is damaged: to try again is no use
    ├── LockedError         another program holds its lock
    └── BackpressureError   no connection became free in time

HandlerSignal               raised by a handler to say how its message ends
├── Refuse                  straight to the dead letters
└── RetryAfter              give back; not an attempt
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

_NEVER = 1e10  # seconds, about 300 years


class Exit(IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    CONFIG = 4
    TIMED_OUT = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is (``file:line``, a field, a line of a batch), what it is, and what to do about it."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text


class SquadError(Exception):
    """Root of all errors. ``hint`` is what the user can type or do next; ``problems`` lists every mistake found."""

    exit = Exit.FAILED

    def __init__(self, message: str, *, hint: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint, self.problems))


def _rebuild(kind: type[SquadError], message: str, hint: str, problems: tuple[Problem, ...]) -> SquadError:
    return kind(message, hint=hint, problems=problems)


class RefusedError(SquadError):
    exit = Exit.USAGE


class QueueFullError(RefusedError):
    pass


class RateLimitError(RefusedError):
    """A token bucket is empty and its owner chose ``raise``. ``retry_after`` is in seconds."""

    retry_after: float = 0.0


class UsageError(SquadError):
    exit = Exit.USAGE


class NotRunningError(SquadError):
    exit = Exit.NOT_RUNNING


class ConfigError(SquadError):
    exit = Exit.CONFIG


class WaitTimeoutError(SquadError):
    exit = Exit.TIMED_OUT


class AlreadyRunningError(SquadError):
    pass


class HomeError(SquadError):
    pass


class StartError(SquadError):
    pass


class ServiceError(SquadError):
    """The service manager could not be told, or refused."""


class CommandFailedError(SquadError):
    pass


class CommandTimeoutError(SquadError):
    pass


class StoreError(SquadError):
    pass


class NewerDatabaseError(StoreError):
    pass


class DamagedError(StoreError):
    pass


class LockedError(StoreError):
    pass


class BackpressureError(StoreError):
    pass


class HandlerSignal(Exception):  # noqa: N818 - a way to end a message, not an error
    """Base of what a handler raises to say how its message ends."""


class Refuse(HandlerSignal):
    """This message can never succeed: it goes straight to the dead letters with ``reason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RetryAfter(HandlerSignal):
    """Give the message back, to be handled again after ``when``: seconds from now, or an aware ``datetime``.

    It does not count as an attempt: a rate limit is not a crash. Raises ValueError for anything else.
    """

    def __init__(self, when: float | datetime, reason: str = "") -> None:
        super().__init__(reason or f"retry after {when}")
        aware = isinstance(when, datetime) and when.tzinfo is not None
        if not aware and not (isinstance(when, int | float) and when < _NEVER):  # nor is NaN less
            raise ValueError(f"RetryAfter takes seconds or an aware datetime, not {when!r}")
        self.when = when
        self.reason = reason
