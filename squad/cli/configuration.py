"""``squad config check``, ``show`` and ``schema``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from squad.cli import completion_values
from squad.cli.command import Group, explicit_home, output_option
from squad.cli.output import Column, pretty, print_json, print_table, print_text, say
from squad.errors import ConfigError, Problem, SquadError, UsageError
from squad.home import Launcher, find


@click.group(
    cls=Group,
    examples=[
        "squad config check squad.yaml",
        "squad config show squad.yaml",
        "squad config schema > squad.schema.json",
    ],
)
def command() -> None:
    """Check a configuration, show it in full, print schemas."""


@command.command("check", examples=["squad config check squad.yaml", "squad config check squad.yaml -o json"])
@click.argument("file", type=click.Path(path_type=Path), required=False)
@output_option
def check(file: Path | None, as_json: bool) -> None:
    """Name every mistake in FILE, by line, import the classes of its agents, and look for their programs.

    Without FILE it is that of the running squad, or else of the squad that comes with Squad. The exit status is 4 when
    there are mistakes, and 0 when there are only warnings. The classes are imported in a process of their own; nothing
    is started.
    """
    from squad.actors.agents.recipients import recipients
    from squad.config.cautions import cautions
    from squad.config.load import load

    path = file or _default()
    try:
        config = load(path)
        handled = recipients(config)
    except ConfigError as error:
        if as_json:
            found = {"problems": _listed(error.problems), "warnings": []}
            print_json({"file": str(path), "ok": False, **found, "agents": [], "convoys": []})
        raise
    warnings = cautions(config)
    groups: dict[str, list[dict[str, Any]]] = {
        name: [
            {
                "name": key,
                "class": group[key].class_,
                "command": None if group[key].class_ is not None else shlex.join(group[key].command or ()),
                "types": sorted(handled[key]),
            }
            for key in group
        ]
        for name, group in (("agents", config.agents), ("convoys", config.convoys))
    }
    if as_json:
        print_json({"file": str(path), "ok": True, "problems": [], "warnings": _listed(warnings), **groups})
    else:
        count = ", ".join(_plural(len(found), name) for name, found in groups.items() if found)
        say(f"{path} is in order: {count}")
        for warning in warnings:
            say(f"warning: {warning}")
        print_table(
            [Column("AGENT"), Column("RUNS", fold=True), Column("HANDLES", fold=True)],
            [
                [entry["name"], entry["class"] or entry["command"], ", ".join(entry["types"])]
                for found in groups.values()
                for entry in found
            ],
        )


def _listed(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"where": item.where, "what": item.what, "hint": item.hint} for item in problems]


@command.command("show", examples=["squad config show", "squad config show squad.yaml -o json"])
@click.argument("file", type=click.Path(path_type=Path), required=False)
@output_option
def show(file: Path | None, as_json: bool) -> None:
    """Print the configuration in FILE with every default written out, as YAML.

    Without FILE it is that of the running squad, or else of the squad that comes with Squad.
    """
    from squad.config import reference
    from squad.config.load import load

    path = file or _default()
    config = load(path)
    if as_json:
        print_json({"file": str(path), "config": reference.show(config)})
    else:
        print_text(reference.show_yaml(config).rstrip("\n"))


@command.command(
    "schema",
    examples=[
        "squad config schema > squad.schema.json",
        "squad config schema scan",
        "squad config schema scan --config squad.yaml",
    ],
)
@click.argument("type_", metavar="[TYPE]", required=False, shell_complete=completion_values.types)
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help="Take TYPE from the agents in this file."
)
@output_option
def schema(type_: str | None, config: Path | None, as_json: bool) -> None:
    """Print the JSON Schema of the configuration file, or of a message type.

    Editors check and complete a configuration with it. The message TYPE is looked for in the running squad, or in the
    agents of the configuration when none runs; squad config check lists the types.
    """
    if type_ is not None:
        described = _of_type(type_, config)
    elif config is not None:
        raise UsageError("--config is where to look for a message type: name the type", hint="squad config schema TYPE")
    else:
        from squad.config.reference import json_schema

        described = {"schema": json_schema()}
    if as_json:
        print_json(described)
    else:
        print_text(pretty(described["schema"]))


def _of_type(name: str, config: Path | None) -> dict[str, Any]:
    """``{"type", "handled_by", "schema"}``. Agents may mean different things by one name: then either of them."""
    launcher = None if config is not None else _running()
    if launcher is not None:
        from squad.client import Client

        with Client(explicit_home()) as squad:
            types = squad.types()
    else:
        types = _declared_types(config or _default())
    found = [entry for entry in types if entry["name"] == name]
    if not found:
        from squad.messages import did_you_mean

        names = sorted({entry["name"] for entry in types})
        hint = did_you_mean(name, names) or f"there are: {', '.join(names) or 'none'}"
        raise UsageError(f"no agent handles the type {name!r}", hint=hint)
    schemas: list[Any] = []
    for entry in found:
        if entry["schema"] not in schemas:
            schemas.append(entry["schema"])
    handled_by = sorted({agent for entry in found for agent in entry["handled_by"]})
    return {"type": name, "handled_by": handled_by, "schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}


def _declared_types(file: Path) -> list[dict[str, Any]]:
    """The types that the agents in a configuration handle, as the gateway lists them. Raises ConfigError."""
    from squad.actors.agents.recipients import described
    from squad.config.load import load

    return [
        {"name": name, "schema": about["schema"], "handled_by": [agent]}
        for agent, handled in described(load(file)).items()
        for name, about in handled["types"].items()
    ]


def _default() -> Path:
    """The configuration of the squad that runs in this home; otherwise the one that comes with Squad."""
    from squad.launcher.begin import default_config

    launcher = _running()
    return Path(launcher.config) if launcher is not None and launcher.config else default_config()


def _running() -> Launcher | None:
    """Who runs in the home that is meant; None also when there is no home."""
    try:
        return find(explicit_home()).launcher()
    except SquadError:
        return None


def _plural(count: int, things: str) -> str:
    return f"{count} {things if count != 1 else things.removesuffix('s')}"
