"""The configuration, and what it needs of the system."""

from __future__ import annotations

import resource

from squad.actors import limits
from squad.actors.agents.recipients import recipients
from squad.config.load import load
from squad.config.schema import SquadConfig
from squad.doctor.finding import Finding, fail, ok
from squad.doctor.subject import Subject
from squad.errors import ConfigError
from squad.launcher.begin import default_config

_NAMED = 3  # mistakes named


def configuration(subject: Subject) -> Finding:
    if subject.config is None:
        return ok("no squad.yaml here: squad start takes the squad that comes with Squad; squad init writes one")
    settings = subject.settings
    if isinstance(settings, SquadConfig):
        try:
            recipients(settings)
        except ConfigError as error:
            settings = error
    if isinstance(settings, ConfigError):
        named = "; ".join(str(problem) for problem in settings.problems[:_NAMED])
        return fail(f"{settings.message}: {named}", f"squad config check {subject.config}")
    return ok(f"{subject.config} is in order")


def open_files(subject: Subject) -> Finding:
    """The hard limit counts: the launcher raises the soft one to it by itself."""
    needs, name, pid = _needs(subject)
    _, limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    allowed = "any number is" if limit == resource.RLIM_INFINITY else f"{limit} are"
    what = f"{allowed} allowed; the {needs.processes} processes of {name} may need {needs.files}"
    for problem in limits.too_few_files(needs, pid):
        return fail(what, problem.hint)
    return ok(what)


def tasks(subject: Subject) -> Finding:
    """Whether so many processes and threads may be there. Those of a squad that runs are there already."""
    needs, name, pid = _needs(subject)
    for problem in limits.too_few_tasks(needs, needs.tasks if pid else 0):
        return fail(f"{problem.where}: {problem.what}", problem.hint)
    return ok(f"{name} may have {needs.processes} processes, {needs.tasks} with their threads")


def _needs(subject: Subject) -> tuple[limits.Needs, str, int]:
    """What the squad needs, its name, and the pid of its launcher, or 0."""
    settings = subject.settings if isinstance(subject.settings, SquadConfig) else load(default_config())
    launcher = subject.launcher
    return limits.needs_of(settings), settings.name, launcher.pid if launcher and launcher.pid else 0
