"""Moments as people write them on a command line: ``2h`` ago, ``09:30``, ``2026-01-31``, ``2026-01-31T09:30Z``."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

import click

from squad.durations import parse_duration

F = TypeVar("F", bound=Callable[..., Any])

_FORMS = "write for example 09:30, 2026-01-31, 2026-01-31T09:30 (here) or 2026-01-31T09:30Z"


def parse_moment(text: str) -> datetime:
    """A time of day (today), a date, or both, in ISO 8601. Without a zone it is that of this machine.

    Raises ValueError, also for what lies outside the years that a computer can count.
    """
    clean = text.strip()
    try:
        found = datetime.fromisoformat(clean if "-" in clean else f"{date.today().isoformat()}T{clean}")  # noqa: DTZ011
        return _here(found) if found.tzinfo is None else found
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time: {_FORMS}") from None


def _here(clock: datetime) -> datetime:
    """A time that this machine's clock shows; one that it leaves out as it goes forward comes no sooner for that."""
    moment = clock.astimezone()
    return moment if moment.replace(tzinfo=None) == clock else clock.replace(fold=1).astimezone()


def parse_since(text: str, now: float) -> float:
    """Seconds since the epoch, from a duration (so long ago) or a moment that has passed. Raises ValueError."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        since = parse_moment(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a duration (10m, 2h, 1d) nor a time: {_FORMS}") from None
    if since > now:
        raise ValueError(f"{text!r} lies in the future")
    return since


def since_option(meaning: str) -> Callable[[F], F]:
    """``--since``: the command gets seconds since the epoch, or None."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        return None if value is None else _or_bad(ctx, param, lambda: parse_since(value, time.time()))

    return click.option("--since", metavar="WHEN", callback=read, help=f"{meaning} a time ago (10m, 2h), or a time.")


def at_option(name: str, *, help: str) -> Callable[[F], F]:  # noqa: A002 - as click calls it
    """An option for a moment: the command gets it in ISO 8601 with its zone, or None."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
        return None if value is None else _or_bad(ctx, param, lambda: parse_moment(value).isoformat())

    return click.option(name, metavar="WHEN", callback=read, help=help)


def _or_bad(ctx: click.Context, param: click.Parameter, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
