"""Making a squad for a test, from classes or from a configuration file."""

from __future__ import annotations

import inspect
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from squad.actors.agents.handlers import Agent
from squad.config.load import load, parse
from squad.moments import parse_moment
from squad.testing.inprocess import InProcessSquad
from squad.testing.real import RealSquad
from squad.testing.squad import Squad

START = "2026-01-05T09:00:00Z"  # a Monday
PATIENCE = 30.0

_numbers = count(1)


class Declared(NamedTuple):
    """An agent or a convoy for ``squad_of``: its class, and keys of its section in a configuration."""

    section: Literal["agents", "convoys"]
    cls: type[Agent]
    settings: dict[str, Any]


def agent(cls: type[Agent], **settings: Any) -> Declared:
    """An agent with settings: ``agent(Scanner, options={"root": "/srv"}, retry={"max_attempts": 1})``."""
    return Declared("agents", cls, settings)


def convoy(cls: type[Agent], **settings: Any) -> Declared:
    """A convoy: ``convoy(Checker, min=2)``. In process it keeps to ``min`` workers."""
    return Declared("convoys", cls, settings)


def squad_of(
    *,
    real: bool = False,
    raise_errors: bool = False,
    start: str | float = START,
    patience: float = PATIENCE,
    settings: Mapping[str, Any] | None = None,
    **agents: type[Agent] | Declared,
) -> Squad:
    """A squad of these agents, by name, each an agent's class, ``agent(...)`` or ``convoy(...)``.

    ``real``: with processes of its own. ``raise_errors``: ``run`` and ``advance`` raise what a handler raised.
    ``start``: the time at the start, in process; as ``ctx.send(at=)`` takes it. ``patience``: seconds of real time that
    one handler may take in process, and one ``run`` in a real squad. ``settings``: further sections of a
    configuration, such as ``{"schedules": {...}}``. Raises ConfigError when something of this is wrong.
    """
    declared = {name: one if isinstance(one, Declared) else agent(one) for name, one in agents.items()}
    with ExitStack() as cleanup:
        if real:
            references = {name: _reference(one.cls) for name, one in declared.items()}
        else:
            module = ModuleType(f"squad_testing_{next(_numbers)}")
            sys.modules[module.__name__] = module
            cleanup.callback(sys.modules.pop, module.__name__)
            for name, one in declared.items():
                setattr(module, _attribute(name), one.cls)
            references = {name: f"{module.__name__}:{_attribute(name)}" for name in declared}
        document: dict[str, Any] = {"agents": {}, "convoys": {}, **(settings or {})}
        for name, one in declared.items():
            document[one.section][name] = {"class": references[name], **one.settings}
        text = json.dumps(document)
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="squad-")))
        file = folder / "squad.yaml"
        file.write_text(text, encoding="utf-8")
        config = parse(text, name="squad_of(...)", base_dir=folder)
        if real:
            made: Squad = RealSquad(config, file, raise_errors=raise_errors, patience=patience)
        else:
            made = InProcessSquad(config, raise_errors=raise_errors, start=parse_moment(start), patience=patience)
        made.afterwards(cleanup.pop_all())
        return made


def squad_from(
    file: str | os.PathLike[str],
    *,
    real: bool = False,
    raise_errors: bool = False,
    start: str | float = START,
    patience: float = PATIENCE,
) -> Squad:
    """The squad of a configuration file. The rest is as for ``squad_of``."""
    path = Path(file)
    config = load(path)
    if real:
        return RealSquad(config, path.absolute(), raise_errors=raise_errors, patience=patience)
    return InProcessSquad(config, raise_errors=raise_errors, start=parse_moment(start), patience=patience)


def _attribute(name: str) -> str:
    return f"Agent_{name.replace('-', '_')}"


def _reference(cls: type[Agent]) -> str:
    """How a real squad's configuration names a class."""
    if "<locals>" in cls.__qualname__ or "." in cls.__qualname__:
        raise ValueError(
            f"a real squad imports its classes, and {cls.__qualname__} cannot be: define it at the top of a module"
        )
    file = Path(inspect.getfile(cls)).resolve()
    if (file.parent / "__init__.py").exists():
        return f"{cls.__module__}:{cls.__name__}"
    return f"{file}:{cls.__name__}"
