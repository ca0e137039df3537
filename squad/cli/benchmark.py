"""``squad benchmark run``, ``report`` and ``memory``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from squad.cli.command import Group, Number, output_option
from squad.cli.output import print_json, say
from squad.endings import interrupted_by_signals
from squad.errors import SquadError

F = TypeVar("F", bound=Callable[..., Any])

_MOST = 1_000_000
_FILE = click.Path(path_type=Path)
_FOLDER = click.option(
    "--folder", type=_FILE, metavar="DIR", help="Where the squads are made (default: where temporary files go)."
)


def _numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """Positive whole numbers with commas between them."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part[:10]) <= _MOST for part in parts):
        raise click.BadParameter(f"{value!r} is no list of numbers from 1 to {_MOST}, such as 1,10,50", ctx, param)
    return [int(part) for part in parts]


def _format(*formats: str) -> Callable[[F], F]:
    """``-o`` alone, as ``--output`` names a file here."""
    return click.option(
        "-o",
        "format_",
        type=click.Choice(formats),
        metavar="|".join(formats),
        help=f"What is printed at the end: {' or '.join(formats)} (default: {formats[0]}).",
    )


@click.group(
    cls=Group,
    examples=[
        "squad benchmark run --output today.json",
        "squad benchmark report --file today.json --compare yesterday.json",
        "squad benchmark memory --agents 1,10 --output memory.csv",
    ],
)
def command() -> None:
    """Measure squads on this machine, and judge what was measured.

    Nothing of your own is touched: the squads that are measured are made in a temporary folder and removed again.
    """


@command.command(
    "run",
    examples=[
        "squad benchmark run --quick",
        "squad benchmark run --output today.json",
        "squad benchmark run --only throughput --only latency --repeat 3 --output today.json",
        "squad benchmark run --agents 1,10 --operations 1000 --only sizes",
    ],
)
@click.option(
    "--agents", callback=_numbers, default="1,10,50,100", metavar="N,N", help="Sizes to measure (default: 1,10,50,100)."
)
@click.option(
    "--operations",
    callback=_numbers,
    metavar="N,N",
    help="Operations of each agent: one number for all sizes, or one for each (default: 100,50,20,10, and at the end "
    "the largest size with twenty times as many).",
)
@click.option("--output", type=_FILE, metavar="FILE", help="Keep everything in this file, for squad benchmark report.")
@click.option("--only", multiple=True, metavar="NAME", help="Make only this measurement; may be given several times.")
@click.option(
    "--repeat", type=click.IntRange(1, 100), default=1, metavar="N", help="Make each so many times (default: 1)."
)
@click.option("--messages", type=click.IntRange(100, 10_000_000), metavar="N", help="At full load (default: 20000).")
@click.option("--rate", type=Number(1, 1000), metavar="N", help="Messages a second, for latency (default: 100).")
@click.option("--seconds", type=Number(0.1, 3600), metavar="N", help="Of each steady load (default: 10).")
@click.option(
    "--many", type=click.IntRange(5, 10_000), metavar="N", help="Agents that are started at once (default: 200)."
)
@click.option(
    "--synchronous", type=click.Choice(["full", "normal"]), default="full", help="Of the store (default: full)."
)
@_FOLDER
@click.option("--quick", is_flag=True, help="Everything small, half a minute: shows that it works, not how fast it is.")
@_format("table", "json")
def run_(  # noqa: PLR0913, PLR0917 - each is an option
    agents: list[int],
    operations: list[int] | None,
    output: Path | None,
    only: tuple[str, ...],
    repeat: int,
    messages: int | None,
    rate: float | None,
    seconds: float | None,
    many: int | None,
    synchronous: str,
    folder: Path | None,
    quick: bool,
    format_: str | None,
) -> None:
    """Measure throughput, latency, the store, start, memory, recovery.

    Takes about six minutes. Run it on a machine that does nothing else. What every figure means is told in
    docs/benchmark.md. The measurements are throughput, exchange, latency, many, idle, recovery, commands, shell and
    sizes; the last is made once for each number of --agents.

    Ctrl-C ends it and leaves nothing behind.
    """
    from squad.benchmark import running
    from squad.benchmark.preflight import check
    from squad.benchmark.scale import Scale, sizes
    from squad.benchmark.scale import quick as small
    from squad.cli.benchmark_tables import print_run

    scale = replace(
        Scale(), sizes=sizes(agents, operations), synchronous="NORMAL" if synchronous == "normal" else "FULL"
    )
    if quick:
        scale = small(scale)
    given: dict[str, Any] = {"messages": messages, "rate": rate, "seconds": seconds, "many": many}
    scale = replace(scale, **{name: value for name, value in given.items() if value is not None})
    todo = running.steps(scale, folder, [name.strip() for names in only for name in names.split(",")])
    check(running.most_agents(todo), folder, output)
    with interrupted_by_signals():
        document = running.run(scale, todo, folder, repeat, say)
    if format_ == "json":
        print_json(document.content())
    else:
        print_run(document)
    if output is not None:
        document.write(output)
        say(f"everything is in {output}; to judge it: squad benchmark report --file {output}")
    if document.failures:
        failed = ", ".join(dict.fromkeys(failure.name for failure in document.failures))
        raise SquadError(f"not everything could be measured: {failed}", hint="the lines above say why")


@command.command(
    "report",
    examples=[
        "squad benchmark report --file today.json",
        "squad benchmark report --file today.json --compare yesterday.json",
        "squad benchmark report --file today.json --plot today.svg",
    ],
)
@click.option("--file", "file", type=_FILE, required=True, metavar="FILE", help="What squad benchmark run has written.")
@click.option("--compare", type=_FILE, metavar="OTHER", help="Another such file, to compare it with.")
@click.option("--plot", type=_FILE, metavar="FILE", help="Draw it: a file that ends in .png or .svg.")
@output_option
def report(file: Path, compare: Path | None, plot: Path | None, as_json: bool) -> None:
    """Judge a benchmark by the targets, compare two, draw one.

    Each figure that has a target is met, acceptable or missed. The exit status is 0 whatever the verdicts are.
    """
    from squad.benchmark import comparing, document, targets
    from squad.cli import benchmark_tables

    if plot is not None:
        from squad import pictures
        from squad.benchmark import plots

        pictures.check(plot)
    found = document.read(file)
    other = document.read(compare) if compare is not None else None
    if plot is not None:
        plots.draw(found, other, plot)
    judged = targets.judge(found)
    compared = comparing.compare(found, other) if other is not None else None
    differences = comparing.differences(found, other) if other is not None else []
    if as_json:
        print_json(benchmark_tables.report_document(found, judged, compared, differences))
        return
    benchmark_tables.print_report(found, judged)
    for sentence in differences:
        say(sentence)
    if compared is not None:
        benchmark_tables.print_comparison(compared)
    if plot is not None:
        say(f"drawn: {plot}")


@command.command(
    "memory",
    examples=[
        "squad benchmark memory",
        "squad benchmark memory --agents 1,10 --runs 20 --output memory.csv",
        "squad benchmark memory --agents 50 -o json",
    ],
)
@click.option(
    "--agents", callback=_numbers, default="1,10,50", metavar="N,N", help="A squad for each (default: 1,10,50)."
)
@click.option("--runs", type=click.IntRange(1, 1000), default=10, metavar="N", help="Rounds of work (default: 10).")
@click.option(
    "--messages",
    type=click.IntRange(1, 1_000_000),
    default=20_000,
    metavar="N",
    help="In each run, shared by the agents (default: 20000).",
)
@click.option("--output", type=_FILE, metavar="FILE", help="Write the CSV to this file, and print a table.")
@_FOLDER
@_format("csv", "table", "json")
def memory(  # noqa: PLR0913, PLR0917 - each is an option
    agents: list[int], runs: int, messages: int, output: Path | None, folder: Path | None, format_: str | None
) -> None:
    """Measure memory before, during and after work, and find leaks.

    Each run sends messages to all agents, waits until all are handled, and reads the memory of every process (PSS).
    CSV goes to standard output, or to --output. A process leaks when its memory keeps growing with the messages that
    it handles: the slope over the runs says so, on standard error.
    """
    from squad.benchmark import memory as measuring
    from squad.benchmark.preflight import check
    from squad.cli import benchmark_tables

    check(max(agents), folder, output)
    with interrupted_by_signals():
        readings = list(measuring.measure(agents, runs, messages, folder, say))
    found = measuring.by_role(readings, messages)
    if output is not None:
        benchmark_tables.write_csv(readings, output)
    chosen = format_ or ("csv" if output is None else "table")
    if chosen == "json":
        print_json(benchmark_tables.memory_document(readings, found, runs, messages))
    elif chosen == "csv":
        benchmark_tables.print_csv(readings)
    else:
        benchmark_tables.print_memory(found)
    for sentence in benchmark_tables.conclusions(found):
        say(sentence)
