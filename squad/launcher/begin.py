"""``squad start``: all that can be wrong is found here, in the process of the command, before anything runs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from squad.errors import Problem, UsageError
from squad.home import Home
from squad.launcher import lock, remains

if TYPE_CHECKING:
    from squad.config.schema import SquadConfig

_DEFAULT = "audit.yaml"


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
    from squad.actors.recipients import recipients
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
    if problems:
        raise UsageError("the squad cannot start with these agents alone", problems=problems)
    return frozenset(agents)


def check_database(path: Path) -> None:
    """Raises NewerDatabaseError, or StoreError for what is no database of ours, before anything writes to it."""
    from squad.store import migrations
    from squad.store.faults import store_error

    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            migrations.check(connection, path)
    except sqlite3.Error as error:
        raise store_error(error, path) from None
