"""The configuration that a running squad has taken up last, as a file in the home.

A tree that is started again runs with it, not with the one the launcher began with. Agents read it when they need more
of it than they were told: to tell each of a thousand agents of all thousand would take minutes.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

from squad.config.schema import SquadConfig

_FILE = "reloaded.pickle"


def keep(home: Path, config: SquadConfig, recipients: Mapping[str, frozenset[str]]) -> None:
    path = home / _FILE
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        pickle.dump((config, dict(recipients)), file)
    new.replace(path)


def kept(home: Path) -> tuple[SquadConfig, dict[str, frozenset[str]]] | None:
    """What ``keep`` kept since this launcher began; None when nothing was reloaded."""
    try:
        data = (home / _FILE).read_bytes()
    except FileNotFoundError:
        return None
    config, recipients = pickle.loads(data)  # noqa: S301 - our own, in a folder that only we can write to
    return config, recipients


def latest(home: Path, first: SquadConfig) -> SquadConfig:
    """The one that was taken up last; ``first`` when nothing was reloaded."""
    found = kept(home)
    return first if found is None else found[0]


def forget(home: Path) -> None:
    """A launcher begins: it runs with the configuration that it was given."""
    (home / _FILE).unlink(missing_ok=True)
