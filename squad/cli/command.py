"""What all commands share: ``--home`` wherever it is written, ``-o json``, and examples at the end of the help."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from squad.cli.output import say
from squad.durations import parse_duration
from squad.home import Home, find

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Invocation:
    """One run of the program, as click's context object: what was said on the command line for every command."""

    home: str | None = None


class Command(click.Command):
    """A command with ``examples``, whole command lines. Every one takes ``--home``."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)
        self.params.append(home_option())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        write_examples(self.examples, formatter)


class Number(click.FloatRange):
    """A number within bounds. NaN, which is neither below nor above any, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class Group(click.Group):
    """A group of commands about one thing, with ``examples``."""

    command_class = Command

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        unknown = args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:  # while a line is completed it is no mistake yet
            from squad.messages import did_you_mean

            near = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(
                f"{args[0]!r} is no command of {ctx.command_path}{f' ({near})' if near else ''}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        write_examples(self.examples, formatter)


def write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    if examples:
        formatter.write_paragraph()
        formatter.write("Examples:\n")
        for example in examples:
            formatter.write(f"  {example}\n")


def home_option() -> click.Option:
    return click.Option(
        ["--home"],
        metavar="DIR",
        expose_value=False,
        callback=_keep_home,
        shell_complete=_folders,
        help="Home of the squad (default: $SQUAD_HOME, else the nearest .squad folder).",
    )


def _folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> Any:
    from squad.cli.completion_values import folders  # which needs this module

    return folders(ctx, param, incomplete)


def _keep_home(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Invocation).home = value


def output_option(command: F) -> F:
    """``-o json``: the command gets ``as_json``."""
    return click.option(
        "-o",
        "--output",
        "as_json",
        type=click.Choice(["table", "json"]),
        default="table",
        metavar="table|json",
        callback=lambda _ctx, _param, value: value == "json",
        help="A table (default), or one JSON document (docs/json.md).",
    )(command)


def explicit_home() -> str | None:
    """What ``--home`` was given, before or after the command's name."""
    return click.get_current_context().ensure_object(Invocation).home


def current_home() -> Home:
    """The home which the command means, checked. Raises NotRunningError when there is none, HomeError."""
    home = find(explicit_home())
    if changed := home.check():
        say(changed)
    return home


def duration_option(name: str, *, help: str) -> Callable[[F], F]:  # noqa: A002 - as click calls it
    """An option for a duration such as ``10s``, ``5m`` or ``1h30m``; the command gets seconds, or None."""

    def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        try:
            return None if value is None else parse_duration(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return click.option(name, metavar="DURATION", callback=seconds, help=help)
