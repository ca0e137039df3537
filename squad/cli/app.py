"""The program's root: which commands there are, where each is written, and what happens when one fails."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from squad.cli.command import Command, Group, Invocation, home_option
from squad.cli.failures import status_of

# Section of the help -> command -> the module that has it under the name ``command``. A module is imported when its
# command runs, or for the help's one-line summaries: so none imports anything heavy at its top.
SECTIONS = {
    "Set up": {
        "init": "squad.cli.init",
        "doctor": "squad.cli.doctor",
        "verify": "squad.cli.verify",
        "benchmark": "squad.cli.benchmark",
        "completion": "squad.cli.completion",
    },
    "Run a squad": {
        "start": "squad.cli.start",
        "stop": "squad.cli.stop",
        "restart": "squad.cli.restart",
        "reload": "squad.cli.reload",
        "pause": "squad.cli.pause",
        "resume": "squad.cli.resume",
        "freeze": "squad.cli.freeze",
        "thaw": "squad.cli.thaw",
    },
    "See what it does": {
        "status": "squad.cli.status",
        "inspect": "squad.cli.inspection",
        "top": "squad.cli.top",
        "dashboard": "squad.cli.dashboard",
        "queue": "squad.cli.depths",
        "bottlenecks": "squad.cli.bottlenecks",
        "metrics": "squad.cli.metrics",
        "events": "squad.cli.events",
        "alerts": "squad.cli.alerts",
        "logs": "squad.cli.logs",
    },
    "Messages": {
        "send": "squad.cli.send",
        "message": "squad.cli.message",
        "dead": "squad.cli.dead",
    },
    "Convoys": {
        "convoy": "squad.cli.convoy",
    },
    "Schedules": {
        "schedule": "squad.cli.schedule",
    },
    "Upkeep": {
        "maintenance": "squad.cli.maintenance",
        "service": "squad.cli.service",
    },
    "Configuration": {
        "config": "squad.cli.configuration",
    },
}


class Root(Group):
    """A group whose commands are loaded on demand, and whose errors are reported in Squad's own form."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for commands in SECTIONS.values():
            if cmd_name in commands:
                command: Command | Group = import_module(commands[cmd_name]).command
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, self._summary(ctx, name)) for name in commands], col_max=12)

    def _summary(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=100) if command else ""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, report any error, and exit with its status (``standalone_mode`` false: raise and return, as click's)."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        if instruction := os.environ.get("_SQUAD_COMPLETE"):  # set by a shell that completes a command line
            from squad.cli.completion import answer

            sys.exit(answer(instruction))
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does, whatever the locale can write
        invocation = Invocation()
        try:
            # Not by click's own main: it would report some errors itself.
            with self.make_context("squad", list(sys.argv[1:] if args is None else args), obj=invocation) as context:
                self.invoke(context)
            sys.stdout.flush()
            status = 0
        except click.exceptions.Exit as leaving:
            status = leaving.exit_code
        except (Exception, KeyboardInterrupt) as error:
            status = status_of(error, _logs(invocation))
        sys.exit(int(status))


def _logs(invocation: Invocation) -> Path | None:
    from squad.errors import SquadError
    from squad.home import find

    try:
        return find(invocation.home).logs
    except SquadError:
        return None


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from squad import __version__

        click.echo(f"squad {__version__}")
        ctx.exit()


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples=[
        "squad start --detach",
        'squad send scanner scan --data \'{"path": "/srv/code"}\' --wait-tree',
        "squad inspect --watch",
        "squad stop",
    ],
    params=[
        home_option(),
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        ),
    ],
)
def cli() -> None:
    """Durable, typed messages between supervised agents, each in a process of its own.

    Exit status: 0 done, 1 failed, 2 wrong usage or a refused message, 3 squad not running, 4 bad configuration,
    5 timed out, 130 after Ctrl-C.
    """
