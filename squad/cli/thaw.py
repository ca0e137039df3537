"""``squad thaw``."""

from __future__ import annotations

import click

from squad.cli.command import Command, current_home, output_option
from squad.cli.holding import me
from squad.cli.output import print_json, say


@click.command(cls=Command, examples=["squad thaw"])
@output_option
def command(as_json: bool) -> None:
    """Let a frozen squad go on. Agents that are paused stay paused."""
    from squad.client import Client

    with Client(current_home()) as squad:
        changed = squad.thaw(by=me())
        paused = [entry["name"] for entry in squad.holds()["paused"]]
    if as_json:
        print_json({"changed": changed})
        return
    say("the squad goes on" if changed else "the squad was not frozen")
    if paused:
        say(f"still paused: {', '.join(paused)}; squad resume")
