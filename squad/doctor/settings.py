"""The configuration, and what it needs of the system."""

from __future__ import annotations

import resource

from squad.actors.recipients import recipients
from squad.config.load import load
from squad.config.schema import SquadConfig
from squad.doctor.finding import Finding, fail, ok
from squad.doctor.subject import Subject
from squad.errors import ConfigError
from squad.launcher.begin import default_config
from squad.launcher.plan import most_processes
from squad.launcher.processes import descriptors_for

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
    settings = subject.settings if isinstance(subject.settings, SquadConfig) else load(default_config())
    processes = most_processes(settings)
    needed = descriptors_for(processes)
    launcher = subject.launcher
    _, limit = resource.prlimit(launcher.pid if launcher and launcher.pid else 0, resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < needed:
        return fail(
            f"{limit} open files are allowed, and the {processes} processes of {settings.name} may need {needed}",
            f"ulimit -Hn {needed} before squad start, as root; for good, in /etc/security/limits.conf or LimitNOFILE=",
        )
    allowed = "any number is" if limit == resource.RLIM_INFINITY else f"{limit} are"
    return ok(f"{allowed} allowed; the {processes} processes of {settings.name} may need {needed}")
