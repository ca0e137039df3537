"""``squad resume``."""

from __future__ import annotations

import click

from squad.cli import completion_values
from squad.cli.command import Command, current_home, output_option
from squad.cli.holding import me
from squad.cli.output import print_json, say


@click.command(cls=Command, examples=["squad resume reporter", "squad resume"])
@click.argument("names", metavar="[AGENT…]", nargs=-1, shell_complete=completion_values.recipients)
@output_option
def command(names: tuple[str, ...], as_json: bool) -> None:
    """Let paused agents and convoys go on (no name: all)."""
    from squad.client import Client

    with Client(current_home()) as squad:
        resumed = squad.resume(*names, by=me())
    already = [name for name in dict.fromkeys(names) if name not in resumed]
    if as_json:
        print_json({"resumed": resumed, "already": already})
        return
    if already:
        say(f"not paused: {', '.join(already)}")
    if resumed:
        say(f"resumed: {', '.join(resumed)}")
    elif not names:
        say("nobody is paused")
