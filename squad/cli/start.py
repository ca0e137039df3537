"""``squad start``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from squad.cli.command import Command, explicit_home
from squad.home import for_start


@click.command(
    cls=Command,
    examples=[
        "squad start",
        "squad start --config squad.yaml",
        "squad start --config squad.yaml --detach",
        "squad start --config squad.yaml --agents scanner,checker",
        "squad start --home /var/lib/squad/audit",
    ],
)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Configuration (default: squad.yaml here, else the squad that comes with Squad, which audits Python source).",
)
@click.option(
    "-d", "--detach", is_flag=True, help="Return when every agent is ready; the squad stays in the background."
)
@click.option(
    "--agents", metavar="NAMES", help="Start only these agents and convoys: a,b. squad restart starts the others."
)
@click.option("--debug", is_flag=True, help="Log at level DEBUG, whatever the configuration says.")
@click.pass_context
def command(ctx: click.Context, config: Path | None, detach: bool, agents: str | None, debug: bool) -> None:
    """Start a squad.

    It runs in the foreground unless --detach is given. Its home is the folder .squad beside the configuration, or in
    the current folder when no file is given. In the foreground the logs of all agents are shown; Ctrl-C lets running
    handlers finish and stops, a second one stops at once.
    """
    from squad import launcher

    home = for_start(explicit_home(), config)
    only = None if agents is None else [name.strip() for name in agents.split(",")]
    sys.stdout.flush()
    ctx.exit(launcher.start(config, home.path, detach=detach, debug=debug, agents=only))
