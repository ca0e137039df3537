"""``squad reload``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from squad.cli.command import Command, current_home, output_option
from squad.cli.output import print_json, say


@click.command(cls=Command, examples=["squad reload --dry-run", "squad reload", "squad reload --dry-run -o json"])
@click.option(
    "-c", "--config", "config", type=click.Path(path_type=Path), metavar="FILE", help="Take up this file instead."
)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@output_option
def command(config: Path | None, dry_run: bool, as_json: bool) -> None:
    """Take up the changed configuration without stopping the squad.

    Only what changed is started, stopped, restarted or resized; edited code of an agent counts as a change. Running
    handlers finish first and no message is lost. A configuration with mistakes changes nothing.
    """
    from squad.client import Client

    with Client(current_home()) as squad:
        plan = squad.reload(config, dry_run=dry_run)
    if as_json:
        print_json({key: plan[key] for key in ("done", "start", "stop", "restart", "resize", "change")})
        return
    lines = _lines(plan)
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo("nothing changed")
    elif dry_run:
        say("nothing was done yet; to do it: squad reload")


def _lines(plan: dict[str, Any]) -> list[str]:
    """One line for each thing that is done."""
    return [
        *(f"start    {name}" for name in plan["start"]),
        *(f"stop     {name}" for name in plan["stop"]),
        *(f"restart  {item['name']}: {item['reason']}" for item in plan["restart"]),
        *(f"resize   {item['name']}: {item['min']} to {item['max']} workers" for item in plan["resize"]),
        *(f"change   {name}" for name in plan["change"]),
    ]
