"""Reading a configuration file, and naming every mistake in it at once."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from squad.config.commands import contradictions
from squad.config.document import Document, read
from squad.config.listening import place_of
from squad.config.mistakes import dotted, translate
from squad.config.schedules import misdirected
from squad.config.schema import Loc, Origin, SquadConfig, clashes, like_workers
from squad.config.section import FROM_FILE
from squad.config.strays import strays
from squad.config.supervision import misfits
from squad.errors import ConfigError, Problem
from squad.messages import did_you_mean

MAX_FILE = 1_000_000
"""Bytes. Larger is not a configuration but a file named by mistake."""

_WHOLE = ("clash", "misdirected", "misfit", "contradiction")
"""Kinds of errors of the schema that are looked for here as well."""

_EXAMPLE = "a squad needs at least:  agents: {scanner: {class: './agents.py:Scanner'}}"


def load(path: Path) -> SquadConfig:
    """The configuration in a file. Raises ConfigError, whose ``problems`` are all mistakes found, by line."""
    name = shown(path)
    base_dir = Path(os.path.abspath(path)).parent  # noqa: PTH100 - resolve() would follow a symbolic link
    return parse(_text(path, name), name=name, base_dir=base_dir, source=base_dir / path.name)


def parse(text: str, *, name: str, base_dir: Path, source: Path | None = None) -> SquadConfig:
    """The configuration in YAML text. ``name`` is what problems call it. Raises ConfigError like ``load``."""
    document = read(text, name)
    if not document.whole:
        raise _refusal(name, document.problems)
    if document.data is None:
        raise _refusal(name, [*document.problems, (1, Problem(f"{name}:1", "the file is empty", _EXAMPLE))])
    if not isinstance(document.data, dict):
        kind = "a list" if isinstance(document.data, list) else "a single value"
        what = f"the file must be a mapping of keys such as agents and convoys, not {kind}"
        raise _refusal(name, [*document.problems, (1, Problem(f"{name}:1", what, _EXAMPLE))])
    found, config = [], None
    try:
        # Aliases only: the attribute name class_ is not a key.
        config = SquadConfig.model_validate(document.data, context=FROM_FILE, by_alias=True, by_name=False)
    except ValidationError as error:
        found = [item for item in error.errors(include_url=False) if item["type"] not in _WHOLE]
    problems = document.problems + translate(name, found, document.places) + _whole(name, document)
    if problems or config is None:
        raise _refusal(name, problems)
    lines = {loc: place.best_line for loc, place in document.places.items()}
    return config.came_from(Origin(base_dir, source, lines))


def _whole(name: str, document: Document) -> list[tuple[int, Problem]]:
    """What no single value is to blame for. Looked for here too, so that it is said together with other mistakes."""
    agents, convoys = document.data.get("agents") or {}, document.data.get("convoys") or {}
    if not agents and not convoys:
        return [] if document.problems else [(1, Problem(f"{name}:1", "there is no agent and no convoy", _EXAMPLE))]
    if not isinstance(agents, dict) or not isinstance(convoys, dict):
        return []
    problems = []
    for clash in clashes(agents, convoys):
        first, line = (document.places[group, clash].key_line for group in ("agents", "convoys"))
        what = f"the name {clash!r} is taken by the agent in line {first}"
        problems.append((line, Problem(f"{name}:{line}", what, "choose another name for the convoy")))
    for clash, convoy in like_workers([*agents, *convoys], convoys):
        line = document.places["agents" if clash in agents else "convoys", clash].key_line
        what = f"the name {clash!r} is that of a worker of the convoy {convoy!r}"
        problems.append((line, Problem(f"{name}:{line}", what, "choose another name")))
    problems += _contradictions(name, document) + _misfits(name, document, agents, convoys)
    for told in (("supervision", "notify"), ("bottlenecks", "tell")):
        problems += _told(name, document, told, [*agents, *convoys])
    problems += _strays(name, document, [*agents, *convoys]) + _same_door(name, document)
    return problems + _schedules(name, document, [*agents, *convoys])


def _told(name: str, document: Document, key: tuple[str, str], recipients: list[str]) -> list[tuple[int, Problem]]:
    """Whether there is whom the configuration names there to be told something."""
    section = document.data.get(key[0])
    told = section.get(key[1]) if isinstance(section, dict) else None
    if not isinstance(told, str) or told in recipients:
        return []
    line = document.places[key].best_line
    what = f"{dotted(key)}: there is no agent or convoy {told!r}"
    return [(line, Problem(f"{name}:{line}", what, did_you_mean(told, recipients)))]


def _strays(name: str, document: Document, recipients: list[str]) -> list[tuple[int, Problem]]:
    problems = []
    for place, what, hint in strays(document.data.get("alerts"), recipients, document.data.get("metrics")):
        loc: Loc = ("alerts", *place)
        line = document.places[loc].best_line
        shown = loc[:-1] if isinstance(loc[-1], int) else loc
        problems.append((line, Problem(f"{name}:{line}", f"{dotted(shown)}: {what}", hint)))
    return problems


def _same_door(name: str, document: Document) -> list[tuple[int, Problem]]:
    """Whether the dashboard and the metrics are to be served on one and the same port."""
    sections = [document.data.get(key) for key in ("dashboard", "metrics")]
    first, second = (section.get("listen") if isinstance(section, dict) else None for section in sections)
    if not (isinstance(first, str) and isinstance(second, str)):
        return []
    try:
        place = place_of(first)
        if place.port == 0 or place != place_of(second):
            return []
    except ValueError:  # one is no address, which is said elsewhere
        return []
    line = document.places["metrics", "listen"].best_line
    what = f"metrics.listen: {second} is the dashboard's"
    return [
        (line, Problem(f"{name}:{line}", what, "choose another port, or remove it: the dashboard has /metrics too"))
    ]


def _misfits(name: str, document: Document, agents: Any, convoys: Any) -> list[tuple[int, Problem]]:
    """Names in ``after`` and in groups that do not fit together, where those are lists as they should be."""
    groups = (document.data.get("supervision") or {}).get("groups") or {} if _is_section(document) else {}
    after = {key: value["after"] for key, value in {**agents, **convoys}.items() if _has_list(value, "after")}
    members = {key: value["members"] for key, value in groups.items() if _has_list(value, "members")}
    problems = []
    for (part, key, number), what, hint in misfits([*agents, *convoys], after, members):
        loc: Loc = ("supervision", "groups", key, "members", number)
        if part == "after":
            loc = ("agents" if key in agents else "convoys", key, "after", number)
        line = document.places[loc].best_line
        problems.append((line, Problem(f"{name}:{line}", f"{dotted(loc[:-1])}: {what}", hint)))
    return problems


def _is_section(document: Document) -> bool:
    supervision = document.data.get("supervision")
    return isinstance(supervision, dict) and isinstance(supervision.get("groups"), dict)


def _has_list(value: Any, key: str) -> bool:
    return isinstance(value, dict) and isinstance(value.get(key), list)


def _contradictions(name: str, document: Document) -> list[tuple[int, Problem]]:
    problems = []
    for group in ("agents", "convoys"):
        for agent, given in (document.data.get(group) or {}).items():
            if given is not None and not isinstance(given, dict):
                continue
            for key, what, hint in contradictions(given or {}):
                place = document.places[(group, agent, key) if key else (group, agent)]
                where = dotted((group, agent, key) if key else (group, agent))
                problems.append((place.best_line, Problem(f"{name}:{place.best_line}", f"{where} {what}", hint)))
    return problems


def _schedules(name: str, document: Document, recipients: list[str]) -> list[tuple[int, Problem]]:
    schedules = document.data.get("schedules")
    if not isinstance(schedules, dict):
        return []
    whole = {key: value for key, value in schedules.items() if isinstance(value, dict) and "recipient" in value}
    problems = []
    for key, what, hint in misdirected({key: value["recipient"] for key, value in whole.items()}, recipients):
        line = document.places["schedules", key, "recipient"].best_line
        problems.append((line, Problem(f"{name}:{line}", f"schedules.{key}.recipient: {what}", hint)))
    return problems


def _refusal(name: str, found: list[tuple[int, Problem]]) -> ConfigError:
    problems = list(dict.fromkeys(problem for _, problem in sorted(found, key=lambda pair: pair[0])))
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return ConfigError(f"{name} has {count}", hint=f"correct it, then: squad config check {name}", problems=problems)


def shown(path: Path) -> str:
    """The path as people can use it: relative when it lies in the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _text(path: Path, name: str) -> str:
    data = _bytes(path, name)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _refusal(name, [(1, Problem(f"{name}:1", "the file is UTF-16 text", "save it as UTF-8"))])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"the file is not UTF-8 text: there is a byte 0x{data[error.start]:02x}"
        raise _refusal(name, [(line, Problem(f"{name}:{line}", what, "save it as UTF-8"))]) from None


def _bytes(path: Path, name: str) -> bytes:
    def unusable(what: str, hint: str) -> ConfigError:
        return ConfigError(f"{name} cannot be read", hint=hint, problems=[Problem(name, what)])

    try:
        mode = path.stat().st_mode  # before open(), which would wait for ever on a pipe
        if stat.S_ISDIR(mode):
            raise unusable("is a folder", f"name the file in it: {Path(name) / 'squad.yaml'}")
        if not stat.S_ISREG(mode):
            raise unusable("is not a regular file", "name a YAML file")
        with path.open("rb") as file:
            data: Any = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise unusable("there is no such file", "check the path after --config") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = getattr(error, "strerror", None) or str(error)
        raise unusable(f"{reason[0].lower()}{reason[1:]}", "check the path and its permissions") from None
    if len(data) > MAX_FILE:
        raise unusable(f"is larger than {MAX_FILE:_} bytes".replace("_", ","), "is it the right file?")
    return bytes(data)
