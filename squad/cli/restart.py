"""``squad restart``."""

from __future__ import annotations

import click

from squad.cli import completion_values
from squad.cli.command import Command, current_home, output_option
from squad.cli.output import print_json, say


@click.command(cls=Command, examples=["squad restart reporter", "squad restart checker -o json"])
@click.argument("name", shell_complete=completion_values.recipients)
@output_option
def command(name: str, as_json: bool) -> None:
    """Restart an agent, or all workers of a convoy.

    It ends a quarantine as well. A message in hand is tried again.
    """
    from squad.client import Client

    with Client(current_home()) as squad:
        squad.restart(name)
    if as_json:
        print_json({"name": name})
    else:
        say(f"restarting {name}; squad inspect {name} shows how it is")
