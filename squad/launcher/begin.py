"""``squad start``: all that can be wrong is found here, in the process of the command, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from squad.durations import format_size
from squad.errors import Problem, StartError, UsageError
from squad.home import Home
from squad.launcher import lock, remains

if TYPE_CHECKING:
    from squad.config.schema import SquadConfig

_DEFAULT = "audit.yaml"
_LEAST_ROOM = 2_000_000  # bytes free on the disk of the home, which the files of a start take
_LOOK = 1.0  # seconds for the database to be looked through for damage


def start(
    config: Path | None,
    home: Path,
    *,
    detach: bool = False,
    debug: bool = False,
    agents: Collection[str] | None = None,
) -> int:
    """Start the squad of a configuration (None: the one that comes with Squad) in ``home``.

    ``agents`` names the agents and convoys to start (None: all); the others accept messages and are started later, by
    ``squad restart``. ``debug`` logs everything, whatever the configuration says. In the foreground this
    does not return: the launcher takes the place of this process, so flush what you have written. With ``detach`` it
    returns 0 once every agent is ready. Raises UsageError, ConfigError, HomeError, AlreadyRunningError, StartError,
    and NewerDatabaseError or another StoreError; nothing runs then.
    """
    from squad.actors import limits
    from squad.actors.agents.recipients import recipients
    from squad.launcher import program, ready
    from squad.launcher.plan import Plan

    _open_standard_streams()
    home = home.resolve()
    settings = _load(config or default_config(), debug)
    only = None if agents is None else _known(agents, settings)
    limits.require(settings)
    handled = recipients(settings)  # before anything is touched: a class that cannot be an agent leaves no trace
    place = Home(home)
    if notice := place.prepare():
        program.say(notice)
    _must_have_room(home)
    held = lock.acquire(home)
    try:
        check_database(place.database)
        plan = Plan(home, settings, handled, only, detach)
        if ended := remains.clear(home):
            program.say(f"ended what was left over from a killed squad in {home} ({remains.counted(ended)})")
        if detach:
            return ready.start_in_background(plan, held)
        program.execute(plan, held)
    finally:
        held.abandon()


def _open_standard_streams() -> None:
    """Have something behind 0, 1 and 2: a file opened later would otherwise take their place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def default_config() -> Path:
    """``squad.yaml`` in the current folder, or else the configuration of the squad that comes with Squad."""
    from squad.config import squads

    if (here := Path("squad.yaml")).is_file():
        return here.resolve()
    return Path(squads.__path__[0]) / _DEFAULT


def _load(path: Path, debug: bool) -> SquadConfig:
    from squad.config.load import load

    settings = load(path)
    if not debug:
        return settings
    logging = settings.logging.model_copy(update={"level": "DEBUG"})
    return settings.model_copy(update={"logging": logging})


def _known(agents: Collection[str], settings: SquadConfig) -> frozenset[str]:
    from squad.messages import did_you_mean

    names = list(settings.recipients)
    problems = [
        Problem(
            "--agents",
            f"there is no agent or convoy {name!r}",
            did_you_mean(name, names) or f"there is {', '.join(names)}",
        )
        for name in agents
        if name not in names
    ]
    problems += [
        Problem("--agents", f"{name!r} starts after {other!r}, which is left out", f"say {other} as well")
        for name in agents
        if name in names
        for other in _before(name, settings)
        if other not in agents
    ]
    if problems:
        raise UsageError("the squad cannot start with these agents alone", problems=problems)
    return frozenset(agents)


def _before(name: str, settings: SquadConfig) -> list[str]:
    """Who must be ready before this agent or convoy is started."""
    groups = [group for group in settings.supervision.groups.values() if name in group.members]
    return [*settings.recipients[name].after, *(other for group in groups if (other := group.before(name)))]


def _must_have_room(home: Path) -> None:
    found = os.statvfs(home)
    free = found.f_bavail * found.f_frsize
    if free < _LEAST_ROOM:
        raise StartError(
            f"the disk is full: {format_size(free)} are free for {home}",
            hint=f"make room first: df -h {home}; what is in the squad's queues is safe",
        )


def check_database(path: Path) -> None:
    """Raises StoreError for what is no database of ours, damaged (as far as a second's look finds it) or half restored,
    and NewerDatabaseError, before anything writes to it."""
    from squad.errors import DamagedError
    from squad.store.checkup import checkup
    from squad.store.faults import damage_hint
    from squad.store.upkeep.restoring import must_be_over

    must_be_over(path)
    if not path.exists():
        return
    found = checkup(path, _LOOK)
    if found.damage:
        raise DamagedError(f"the database {path} is damaged: {'; '.join(found.damage)}", hint=damage_hint(path))
