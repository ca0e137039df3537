"""The programs that commands name, and everything else about a command agent that can be wrong before it runs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from squad.config.commands import Kind
from squad.config.load import shown
from squad.config.placeholders import FIXED, Placeholder, PlaceholderError, fill, parse
from squad.config.schema import SquadConfig
from squad.config.sinks import PREFIX
from squad.config.types import declared_types
from squad.declared import unknown_part
from squad.errors import Problem
from squad.messages import MessageType, did_you_mean

Fault = tuple[tuple[str | int, ...], str, str]
"""(place below the agent, what is wrong, hint)."""


class ProgramError(Exception):
    """Why a program cannot be run, as a sentence; ``hint`` is what to do about it."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def check_commands(config: SquadConfig, known: Mapping[str, MessageType]) -> list[Problem]:
    """Every mistake of the command agents that their own keys do not show, by line.

    ``known`` are the types that may be handled without being declared in this configuration.
    """
    types: dict[str, MessageType] = {**known, **declared_types(config.types)}
    problems = []
    for group, agents in (("agents", config.agents), ("convoys", config.convoys)):
        for name, settings in agents.items():
            faults = [*_readiness_faults(settings, config.base_dir)]
            if settings.command is not None:
                faults += _faults(settings, config, types)
            for place, what, hint in faults:
                line = config.line_of(group, name, *place)
                where = f"{shown(config.source)}:{line}" if config.source and line else f"{group}.{name}"
                problems.append(Problem(where, f"{'.'.join(map(str, (group, name, *place)))}: {what}", hint))
    return problems + [problem for name in config.alerts.sinks for problem in _of_sink(name, config, types)]


def _of_sink(name: str, config: SquadConfig, types: Mapping[str, MessageType]) -> Iterator[Problem]:
    """A sink of alerts that is a command, or that takes a library."""
    agent = config.notifiers.get(f"{PREFIX}{name}")
    faults: list[Fault] = []
    if agent is not None and agent.command is not None:
        faults += _faults(agent, config, types)
    elif agent is not None and config.alerts.sinks[name].apprise and importlib.util.find_spec("apprise") is None:
        faults.append((("apprise",), "the library Apprise is not installed", "pip install 'squad-runtime[notify]'"))
    for place, what, hint in faults:
        loc = ("alerts", "sinks", name, *place)
        line = config.line_of(*loc)
        where = f"{shown(config.source)}:{line}" if config.source and line else f"alerts.sinks.{name}"
        yield Problem(where, f"{'.'.join(map(str, loc))}: {what}", hint)


def _faults(settings: Kind, config: SquadConfig, types: Mapping[str, MessageType]) -> Iterator[Fault]:
    handled: list[MessageType] = []
    for number, name in enumerate(settings.handles):
        if name in settings.handles[:number]:
            yield ("handles", number), f"{name!r} is here twice", "remove one"
        elif name in types:
            handled.append(types[name])
        else:
            yield ("handles", number), *_undeclared(name, config, types)
    yield from _program_faults(settings, config.base_dir)
    for number, text in enumerate(settings.command or ()):
        try:
            argument = parse(text)
        except PlaceholderError as error:
            yield ("command", number), str(error), error.hint
            continue
        for placeholder in (piece for piece in argument if isinstance(piece, Placeholder)):
            if number == 0 and placeholder.name not in FIXED:
                hint = "what is executed is decided here alone; arguments may hold it"
                yield ("command", 0), f"the program's name cannot hold {placeholder.text}", hint
            elif placeholder.path:
                for kind in handled:
                    if (hint_or_none := unknown_part(kind, placeholder.path)) is not None:
                        yield ("command", number), f"{placeholder.text} names no field of {kind.name!r}", hint_or_none
    if settings.directory is not None and not (config.base_dir / settings.directory).is_dir():
        hint = "the path is relative to the configuration's folder"
        yield ("directory",), f"there is no folder {config.base_dir / settings.directory}", hint


def _undeclared(name: str, config: SquadConfig, types: Mapping[str, MessageType]) -> tuple[str, str]:
    if name in config.types:
        what = f"the type {name!r} is not declared here: it has neither fields nor schema"
        return what, f"give it fields, in types.{name}"
    return f"no type {name!r} is declared under types", did_you_mean(name, types) or "declare it there, with its fields"


def _program_faults(settings: Kind, base_dir: Path) -> Iterator[Fault]:
    text = (settings.command or [""])[0]
    try:
        argument = parse(text)
        if all(isinstance(piece, str) or piece.name == "python" for piece in argument):
            find_program(fill(argument, {"python": sys.executable}), base_dir, path_of(settings, os.environ))
    except PlaceholderError:
        return  # said of all arguments alike
    except ProgramError as error:
        yield ("command", 0), str(error), error.hint


def _readiness_faults(settings: Kind, base_dir: Path) -> Iterator[Fault]:
    """The program of ``ready_when``, which runs with the environment of the squad."""
    rules = getattr(settings, "ready_when", None)
    if rules is None or rules.command is None:
        return
    try:
        find_program(rules.command[0], base_dir, os.environ.get("PATH", os.defpath))
    except ProgramError as error:
        yield ("ready_when", "command", 0), str(error), error.hint


def path_of(settings: Kind, environment: Mapping[str, str]) -> str:
    """The PATH by which a command is found: its own."""
    return settings.environment.set.get("PATH") or environment.get("PATH") or os.defpath


def find_program(name: str, base_dir: Path, path: str) -> Path:
    """The absolute path of a program: relative to ``base_dir`` if there is a slash in its name, else found on PATH.

    Raises ProgramError when it is not there or cannot be executed.
    """
    if not name:
        raise ProgramError("the program has no name", "write command: [PROGRAM, ARGUMENT, ...]")
    if "/" not in name:
        return _on_path(name, base_dir, path)
    found = base_dir / name
    if not found.exists():
        near = did_you_mean(found.name, _files_beside(found))
        raise ProgramError(f"there is no program {found}", near or "the path is relative to the configuration's folder")
    if found.is_dir():
        raise ProgramError(f"{found} is a folder", "name a program")
    if not os.access(found, os.X_OK):
        raise ProgramError(f"{found} is not executable", f"chmod +x {found}")
    if missing := _missing_interpreter(found):
        raise ProgramError(f"{found} begins with #!{missing}, which is not there", "correct its first line")
    return found


def _on_path(name: str, base_dir: Path, path: str) -> Path:
    found = shutil.which(name, path=path)
    if found is None:
        hint = f"write ./{name} for the file beside the configuration" if (base_dir / name).is_file() else ""
        unusable = next((folder for folder in path.split(os.pathsep) if (Path(folder) / name).is_file()), None)
        if unusable is not None:
            raise ProgramError(f"{Path(unusable) / name} is not executable", f"chmod +x {Path(unusable) / name}")
        raise ProgramError(f"there is no program {name!r} on PATH", hint or "install it, or write its whole path")
    return Path(found).absolute()


def _missing_interpreter(program: Path) -> str:
    """The interpreter in a script's first line, if it does not exist."""
    try:
        with program.open("rb") as file:
            first = file.readline(256)
    except OSError:
        return ""  # it may be executed without being read
    words = first[2:].split() if first.startswith(b"#!") else []
    interpreter = os.fsdecode(words[0]) if words else ""
    return interpreter if interpreter.startswith("/") and not Path(interpreter).exists() else ""


def _files_beside(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []
