"""Who handles which types: found by loading the agents' classes in a process that does nothing else.

As a program, ``python -m squad.actors.agents.recipients FILE`` prints it as JSON, so that a process with threads, which
must not fork, can ask as well.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from squad.actors.agents import handlers
from squad.actors.agents.kinds import BUILT_IN, agent_class
from squad.config import payloads
from squad.config.checking import check_in_child
from squad.config.credentials import check_exporters, check_tokens
from squad.config.load import load, shown
from squad.config.programs import check_commands
from squad.config.schema import SquadConfig
from squad.config.types import declared_types
from squad.errors import ConfigError, Problem, SquadError
from squad.notices import ALERT, BOTTLENECKS, QUARANTINED


def recipients(settings: SquadConfig) -> dict[str, frozenset[str]]:
    """Who handles which types. Raises ConfigError like ``described``."""
    return {name: frozenset(about["types"]) for name, about in described(settings).items()}


def described(settings: SquadConfig) -> dict[str, dict[str, Any]]:
    """What each agent and convoy handles, as ``handlers.describe`` says it, by its class or its command.

    Raises ConfigError naming every class that is no agent, every command that cannot be run, and every schedule whose
    message would not be taken.
    """
    declared = {**BUILT_IN, **declared_types(settings.types)}

    def check(found: type[handlers.Agent]) -> list[str]:
        return handlers.problems(handlers.bind(found, declared))

    def describe(found: type[handlers.Agent]) -> dict[str, Any]:
        bound = handlers.bind(found, declared)
        misfits = payloads.misfits(handlers.handled_types(bound), settings.schedules)
        return {**handlers.describe(bound), "misfits": misfits}

    report = check_in_child(settings, base=handlers.Agent, check=check, describe=describe)
    at_fault = {
        "classes that cannot be agents": list(report.problems),
        "commands that cannot be run": check_commands(settings, BUILT_IN),
    }
    commands = [name for name, agent in settings.recipients.items() if agent.command is not None]
    descriptions = {**report.descriptions, **{name: describe(agent_class(settings, name)) for name in commands}}
    at_fault["schedules that cannot be carried out"] = payloads.problems(settings, descriptions)
    at_fault["exporters that could send nothing"] = check_exporters(settings, os.environ)
    at_fault["listeners without their tokens"] = check_tokens(settings, os.environ)
    at_fault["somebody to be told who does not listen"] = _unheard(settings, descriptions)
    if any(at_fault.values()):
        raise ConfigError(
            f"{settings.source} names {' and '.join(what for what, problems in at_fault.items() if problems)}",
            hint=f"correct them, then: squad config check {settings.source}",
            problems=[problem for problems in at_fault.values() for problem in problems],
        )
    return {name: descriptions[name] for name in settings.recipients}


def _unheard(settings: SquadConfig, descriptions: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Whether those who are to be told something handle the messages that say it."""
    problems = []
    listeners: list[tuple[tuple[str, ...], str | None, str, str]] = [
        (("supervision", "notify"), settings.supervision.notify, QUARANTINED, "Quarantined"),
        (("bottlenecks", "tell"), settings.bottlenecks.tell, BOTTLENECKS, "Bottlenecks"),
    ]
    for sink, about in settings.alerts.sinks.items():
        listeners.append((("alerts", "sinks", sink, "agent"), about.agent, ALERT, "Alert"))
    for place, told, kind, name in listeners:
        if told is None or told not in descriptions or kind in descriptions[told]["types"]:
            continue
        line = settings.line_of(*place)
        where = f"{shown(settings.source)}:{line}" if settings.source and line else "configuration"
        hint = f"give it a method with @handles({name}), from squad import {name}"
        problems.append(Problem(where, f"{'.'.join(place)}: {told} does not handle {kind!r}", hint))
    return problems


def main(path: str) -> int:
    """Print ``{"recipients": {name: [types]}}``, or ``{"error", "hint", "problems": [[where, what, hint]]}``."""
    try:
        found = recipients(load(Path(path)))
    except SquadError as error:
        problems = [[problem.where, problem.what, problem.hint] for problem in error.problems]
        print(json.dumps({"error": error.message, "hint": error.hint, "problems": problems}))  # noqa: T201
        return error.exit
    print(json.dumps({"recipients": {name: sorted(types) for name, types in found.items()}}))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
