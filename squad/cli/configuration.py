"""``squad config check``, ``show`` and ``schema``."""

from __future__ import annotations

from pathlib import Path

import click

from squad.cli.command import Group, explicit_home, output_option
from squad.cli.output import pretty, print_json, print_text, say
from squad.errors import ConfigError, SquadError
from squad.home import find


@click.group(
    cls=Group,
    examples=[
        "squad config check squad.yaml",
        "squad config show squad.yaml",
        "squad config schema > squad.schema.json",
    ],
)
def command() -> None:
    """Check a configuration, show it in full, print its schema."""


@command.command("check", examples=["squad config check squad.yaml", "squad config check squad.yaml -o json"])
@click.argument("file", type=click.Path(path_type=Path), required=False)
@output_option
def check(file: Path | None, as_json: bool) -> None:
    """Name every mistake in FILE, by line, and import the classes of its agents.

    Without FILE it is that of the running squad, or else of the squad that comes with Squad. The exit status is 4 when
    there are mistakes. The classes are imported in a process of their own; nothing is started.
    """
    from squad.config.load import load
    from squad.launcher.begin import recipients

    path = file or _default()
    try:
        config = load(path)
        handled = recipients(config)
    except ConfigError as error:
        if as_json:
            problems = [{"where": item.where, "what": item.what, "hint": item.hint} for item in error.problems]
            print_json({"file": str(path), "ok": False, "problems": problems, "agents": [], "convoys": []})
        raise
    groups = {
        name: [{"name": key, "class": group[key].class_, "types": sorted(handled[key])} for key in group]
        for name, group in (("agents", config.agents), ("convoys", config.convoys))
    }
    if as_json:
        print_json({"file": str(path), "ok": True, "problems": [], **groups})
    else:
        count = ", ".join(_plural(len(found), name) for name, found in groups.items() if found)
        say(f"{path} is in order: {count}")


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


@command.command("schema", examples=["squad config schema > squad.schema.json"], uses_home=False)
@output_option
def schema(as_json: bool) -> None:
    """Print the JSON Schema of the configuration file; editors check and complete with it."""
    from squad.config.reference import json_schema

    described = json_schema()
    if as_json:
        print_json({"schema": described})
    else:
        print_text(pretty(described))


def _default() -> Path:
    """The configuration of the squad that runs in this home; otherwise the one that comes with Squad."""
    from squad.launcher.begin import default_config

    try:
        launcher = find(explicit_home()).launcher()
    except SquadError:
        launcher = None
    return Path(launcher.config) if launcher is not None and launcher.config else default_config()


def _plural(count: int, things: str) -> str:
    return f"{count} {things if count != 1 else things.removesuffix('s')}"
