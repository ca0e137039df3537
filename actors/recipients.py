"""Who handles which types: found by loading the agents' classes in a process that does nothing else.

As a program, ``python -m squad.actors.recipients FILE`` prints it as JSON, so that a process with threads, which must
not fork, can ask as well.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from squad.actors import handlers, payloads
from squad.config.checking import check_in_child
from squad.config.load import load
from squad.config.schema import SquadConfig
from squad.errors import ConfigError, SquadError


def recipients(settings: SquadConfig) -> dict[str, frozenset[str]]:
    """Who handles which types, as the agents' classes say.

    Raises ConfigError naming every class that is no agent, and every schedule whose message would not be taken.
    """

    def describe(agent_class: type[handlers.Agent]) -> dict[str, Any]:
        misfits = payloads.misfits(handlers.handled_types(agent_class), settings.schedules)
        return {**handlers.describe(agent_class), "misfits": misfits}

    report = check_in_child(settings, base=handlers.Agent, check=handlers.problems, describe=describe)
    problems = [*report.problems, *payloads.problems(settings, report.descriptions)]
    if problems:
        at_fault = "classes that cannot be agents" if report.problems else "schedules that cannot be carried out"
        raise ConfigError(
            f"{settings.source} names {at_fault}",
            hint=f"correct them, then: squad config check {settings.source}",
            problems=problems,
        )
    return {name: frozenset(about["types"]) for name, about in report.descriptions.items()}


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
