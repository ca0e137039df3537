"""What a handler says about a message that it sends, checked: every mistake is added to a list of problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from squad.durations import parse_duration
from squad.errors import Problem
from squad.messages import did_you_mean
from squad.moments import parse_coming
from squad.replies import REPLY

Recipients = Mapping[str, frozenset[str]]


def problems(recipient: str, kind: str, priority: int, key: str | None, recipients: Recipients) -> list[Problem]:
    """What is wrong with these."""
    found = []
    if recipient not in recipients:
        found.append(Problem("recipient", f"no agent is called {recipient!r}", _names(recipient, recipients)))
    elif kind not in recipients[recipient]:
        hint = did_you_mean(kind, recipients[recipient]) or _listed("it handles", recipients[recipient])
        found.append(Problem("type", f"{recipient} does not handle {kind!r}", hint))
    if isinstance(priority, bool) or not isinstance(priority, int) or not 1 <= priority <= 10:
        found.append(Problem("priority", f"must be 1 (highest) to 10 (lowest), not {priority!r}"))
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= 200):
        found.append(Problem("key", "must be 1 to 200 characters"))
    return found


def plain(text: str) -> str:
    """A ``str`` itself of what may be one of the users' own, such as a member of a ``StrEnum``: what a handler says is
    read by storage, which does not have their classes."""
    return str.__str__(text)


def times(
    delay: float | str | None,
    at: float | str | datetime | None,
    ttl: float | str | None,
    now: float,
    found: list[Problem],
) -> tuple[float | None, float | None]:
    """(when it may first be handled, when it expires), in seconds since the epoch."""
    not_before = None
    if delay is not None and at is not None:
        found.append(Problem("at", "cannot be given together with delay"))
    elif delay is not None:
        not_before = now + _duration("delay", delay, found)
    elif at is not None:
        try:
            not_before = parse_coming(at, now)
        except ValueError as error:
            found.append(Problem("at", str(error)))
    life = None if ttl is None else _positive("ttl", ttl, found)
    return not_before, None if life is None else max(now, not_before or now) + life


def patience(
    reply_to: str | None, timeout: float | str | None, recipients: Recipients, found: list[Problem]
) -> float | None:
    """How many seconds a reply may take; None: any number."""
    if reply_to is not None and reply_to not in recipients:
        found.append(Problem("reply_to", f"no agent is called {reply_to!r}", _names(reply_to, recipients)))
    elif reply_to is not None and REPLY not in recipients[reply_to]:
        hint = "give it a method with @handles(Reply), from squad import Reply"
        found.append(Problem("reply_to", f"{reply_to} does not handle {REPLY!r}", hint))
    if timeout is None:
        return None
    if reply_to is None:
        found.append(Problem("reply_timeout", "means nothing without reply_to"))
    return _positive("reply_timeout", timeout, found)


def _names(word: str, known: Iterable[str]) -> str:
    return did_you_mean(word, known) or _listed("there are", known)


def _listed(what: str, names: Iterable[str]) -> str:
    return f"{what}: {', '.join(sorted(names)) or 'none'}"


def _positive(where: str, value: float | str, found: list[Problem]) -> float:
    seconds = _duration(where, value, found)
    if seconds == 0:
        found.append(Problem(where, "must be more than 0"))
    return seconds


def _duration(where: str, value: float | str, found: list[Problem]) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        found.append(Problem(where, str(error)))
        return 1.0  # refused anyway, whatever it is
