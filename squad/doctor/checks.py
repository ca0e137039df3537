"""The table of all checks, and the examination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from squad.doctor import contents, life, machine, packages, place, receivers, repairs, settings
from squad.doctor.finding import Finding, Verdict, warn
from squad.doctor.subject import Subject
from squad.errors import SquadError

Look = Callable[[Subject], Finding | None]
Repair = Callable[[Subject], str]


@dataclass(frozen=True, slots=True)
class Check:
    """``look`` returns None when it does not apply, for instance where there is no home yet."""

    name: str
    look: Look
    repair: Repair | None = None


CHECKS = (
    Check("system", machine.system),
    Check("python", machine.python),
    Check("packages", packages.packages),
    Check("sqlite", machine.sqlite),
    Check("logout", machine.logout),
    Check("home", place.home, repairs.close_home),
    Check("files", place.files),
    Check("filesystem", place.filesystem),
    Check("disk", place.disk),
    Check("database", contents.database),
    Check("alerts", contents.alerts),
    Check("writers", contents.writers),
    Check("logs", place.logs),
    Check("configuration", settings.configuration),
    Check("exporters", receivers.exporters),
    Check("open files", settings.open_files),
    Check("processes", settings.tasks),
    Check("running", life.running),
    Check("leftover processes", life.leftover_processes, repairs.clear_leftovers),
    Check("leftover files", life.leftover_files, repairs.clear_leftovers),
    Check("squads", life.squads),
)


def examine(subject: Subject, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """What every check that applies has found, in the order of the table."""
    return [replace(finding, name=check.name) for check in checks if (finding := _look(check, subject)) is not None]


def mend(subject: Subject, findings: Sequence[Finding]) -> list[str]:
    """Repair what can be repaired among the findings; what was done, and what could not be, as sentences."""
    fixable = {finding.name for finding in findings if finding.fixable}
    repairs = dict.fromkeys(check.repair for check in CHECKS if check.repair and check.name in fixable)
    said = []
    for repair in repairs:
        try:
            said.append(repair(subject))
        except (SquadError, OSError) as error:
            said.append(f"could not repair it: {error}")
    return [sentence for sentence in said if sentence]


def _look(check: Check, subject: Subject) -> Finding | None:
    try:
        return check.look(subject)
    except (OSError, SquadError) as error:
        return warn(f"could not be looked at: {error}", "run squad doctor as the user to whom the home belongs")


def worst(findings: Sequence[Finding]) -> Verdict:
    """How bad it is, all in all."""
    order = list(Verdict)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)
