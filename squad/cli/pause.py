"""``squad pause``."""

from __future__ import annotations

import click

from squad.cli import completion_values
from squad.cli.command import Command, current_home, output_option
from squad.cli.holding import me
from squad.cli.output import print_json, say


@click.command(
    cls=Command,
    examples=["squad pause reporter", 'squad pause scanner checker --reason "the disk is full"', "squad pause"],
)
@click.argument("names", metavar="[AGENT…]", nargs=-1, shell_complete=completion_values.recipients)
@click.option("--reason", metavar="TEXT", default="", help="Why, for whoever wonders.")
@output_option
def command(names: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Give agents and convoys no new message (no name: all).

    What they handle goes on, and messages to them are accepted and wait, up to their bound. A pause outlives every
    restart, until squad resume.
    """
    from squad.client import Client

    with Client(current_home()) as squad:
        paused = squad.pause(*names, reason=reason, by=me())
        all_paused = [entry["name"] for entry in squad.holds()["paused"]]
    already = [name for name in all_paused if name not in paused and (not names or name in names)]
    if as_json:
        print_json({"paused": paused, "already": already})
        return
    if already:
        say(f"paused already: {', '.join(already)}")
    if paused:
        say(f"paused: {', '.join(paused)}; squad resume {' '.join(names)}".rstrip())
    if not paused and not already:
        say("there is nobody to pause")
