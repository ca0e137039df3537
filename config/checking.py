"""Checking the classes that a configuration names, without running the user's code in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from squad.config import child
from squad.config.classes import resolve
from squad.config.load import shown
from squad.config.schema import SquadConfig
from squad.errors import ConfigError, Problem


class ClassReport(NamedTuple):
    """``problems`` of all classes. ``descriptions``: for each agent and convoy whose class was found, what
    ``describe`` said about it."""

    problems: tuple[Problem, ...]
    descriptions: dict[str, Any]


class _Named(NamedTuple):
    reference: str
    names: tuple[str, ...]  # the agents and convoys that use it
    where: str


class _Demands(NamedTuple):
    base: type[Any]
    check: Callable[[type[Any]], list[str]]
    describe: Callable[[type[Any]], Any]


def check_in_child(
    config: SquadConfig,
    *,
    base: type[Any],
    check: Callable[[type[Any]], list[str]],
    describe: Callable[[type[Any]], Any],
    time_limit: float = 10.0,
) -> ClassReport:
    """Import all classes in a child process and look at them there, within about ``time_limit`` seconds in all.

    Each must be a subclass of ``base``. ``check`` gives the further faults of a class, as ends of a sentence that
    begins with its name; ``describe`` what the caller wants to know of it, as something JSON can say. Whatever the
    user's modules do when they are imported (print, exit, hang, crash) stays in the child and becomes a problem.
    """
    deadline = time.monotonic() + time_limit
    problems: list[Problem] = []
    descriptions: dict[str, Any] = {}
    left = _references(config)
    while left:
        work = partial(_examine, left, config, _Demands(base, check, describe))
        seconds = max(deadline - time.monotonic(), min(1.0, time_limit))  # enough not to blame the innocent
        ended = child.run(work, seconds)
        reached = 0
        for kind, number, value in ended.said:
            reached = number
            if kind == "problem":
                problems.append(Problem(left[number].where, *value))
            elif kind == "description":
                descriptions.update(dict.fromkeys(left[number].names, value))
        if not ended.fate:
            break
        problems.append(_blame(left[reached], ended))
        left = left[reached + 1 :] if time.monotonic() < deadline else []
    return ClassReport(tuple(dict.fromkeys(problems)), descriptions)


def _references(config: SquadConfig) -> list[_Named]:
    users: dict[str, list[str]] = {}
    for name, settings in config.recipients.items():
        if settings.class_ is not None:
            users.setdefault(settings.class_, []).append(name)
    return [_Named(reference, tuple(names), _where(config, names[0])) for reference, names in users.items()]


def _where(config: SquadConfig, name: str) -> str:
    group = "agents" if name in config.agents else "convoys"
    line = config.line_of(group, name, "class")
    return f"{shown(config.source)}:{line}" if config.source and line else f"{group}.{name}.class"


def _examine(left: list[_Named], config: SquadConfig, demands: _Demands, say: child.Say) -> None:
    """In the child: what it says is (kind, number of the reference, value)."""
    for number, (reference, _, _) in enumerate(left):
        say(("begin", number, None))
        try:
            found = resolve(reference, config.base_dir, demands.base)
            faults = [(f"{reference} {fault}", "") for fault in demands.check(found)]
            if not faults:
                say(("description", number, demands.describe(found)))
        except ConfigError as error:
            faults = [(error.message, error.hint)]
        except Exception as error:  # the user's code again: a metaclass, an annotation
            faults = [(f"{reference} cannot be examined: {type(error).__name__}: {error}", "")]
        for fault in faults:
            say(("problem", number, fault))


def _blame(culprit: _Named, ended: child.Ended) -> Problem:
    hint = "a module with agents must only define things when it is imported"
    if ended.output:
        hint += f"; it last printed {ended.output[-200:]!r}"
    return Problem(culprit.where, f"{culprit.reference} {ended.fate} while it was imported", hint)
