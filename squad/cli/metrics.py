"""``squad metrics``: what was measured over a time, as a table, a document or a picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from squad.cli import completion_values
from squad.cli.command import Command, current_home, duration_option, output_option
from squad.cli.figures import of_unit, plain
from squad.cli.output import Column, on_terminal, print_heading, print_json, print_table, print_text, say
from squad.cli.sparkline import sparkline
from squad.durations import format_duration
from squad.errors import UsageError

if TYPE_CHECKING:
    from squad.store.metrics.report import By, Row

_TREND = 20  # steps of a line in a table: as much as most terminals have room for


@click.command(
    cls=Command,
    examples=[
        "squad metrics",
        "squad metrics --agent checker --window 24h",
        "squad metrics handling_ms waiting_ms",
        "squad metrics completed --by type -o json",
        "squad metrics --window 6h --plot squad.png",
        "squad metrics cpu_percent memory_bytes --plot resources.svg",
    ],
)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=completion_values.metrics)
@click.option("--agent", metavar="A", shell_complete=completion_values.actors, help="Only of this agent or convoy.")
@duration_option("--window", help="How far back: 30m, 6h, 7d (default: 1h).")
@click.option("--by", type=click.Choice(["agent", "type"]), help="A row for each agent, or each type of message.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw it: a file that ends in .png or .svg."
)
@output_option
def command(  # noqa: PLR0913, PLR0917 - its options
    names: tuple[str, ...], agent: str | None, window: float | None, by: By | None, plot: Path | None, as_json: bool
) -> None:
    """Show what was measured: counts, readings, percentiles.

    Without NAMEs a row for each metric; with NAMEs only those, each with a row for every agent. docs/metrics.md lists
    them; agents may have added their own. Percentiles are 4.5 % off at most. Whole minutes are counted, whole hours
    when it is longer ago. It is read from the database, so it works on a stopped squad too.

    With --plot a picture is drawn instead: of the NAMEs, or else of throughput, latency, queue depth and the size of
    convoys. That needs matplotlib: pip install 'squad-runtime[plots]'.
    """
    from squad.store.database import open_reader
    from squad.store.metrics import report

    if plot is not None:
        from squad import pictures

        if as_json or by is not None:
            raise UsageError("--plot draws a picture: give it without -o json and --by")
        pictures.check(plot)
    if window == 0:
        raise UsageError("--window 0: nothing was measured in no time", hint="write for example --window 30m")
    until = time.time()
    since = until - (report.WINDOW if window is None else window)
    with open_reader(current_home().database) as pool, pool.connection() as database, database.atomic():
        if plot is not None:
            from squad.cli import metric_plots

            wanted = [one for one in report.series(database, names, agent) if agent in (None, one.agent)]
            metric_plots.draw(database, wanted, names, since, until, plot)
            say(f"{plot} is drawn")
            return
        found = report.read(database, names, since, until, agent=agent, by=by)
    if as_json:
        print_json(found.document())
    else:
        _print(found.rows, until - since)


# -- tables


def _print(rows: list[Row], window: float) -> None:
    if not rows:
        say(f"nothing was measured in the last {format_duration(window)}: --window 7d looks farther back")
        return
    print_heading(f"The last {format_duration(window)}")
    for kind, columns, cells in (
        ("histogram", ["COUNT", "P50", "P95", "P99", "MOST"], _histogram),
        ("counter", ["COUNT", "A MINUTE"], _counter),
        ("gauge", ["LAST", "MEAN", "LEAST", "MOST"], _gauge),
    ):
        mine = [row for row in rows if row.kind == kind]
        if mine:
            print_text("")
            _table(kind.upper(), columns, mine, cells)


def _table(title: str, columns: list[str], rows: list[Row], cells: Any) -> None:
    labels = sorted({row.label[0] for row in rows if row.label})
    shown = [Column(title), *(Column(label.upper(), fold=True) for label in labels)]
    shown += [Column(name, right=True) for name in columns]
    if on_terminal():
        shown.append(Column("P95 OVER TIME" if title == "HISTOGRAM" else "OVER TIME", style=lambda _: "cyan"))
    print_table(
        shown,
        [
            [
                row.name,
                *((row.label[1] if row.label and row.label[0] == label else "") for label in labels),
                *cells(row),
                *([_trend(row)] if on_terminal() else []),
            ]
            for row in rows
        ],
    )


def _histogram(row: Row) -> list[str]:
    found = row.summary
    values = [*(found.percentile(q) for q in (0.5, 0.95, 0.99)), found.most]
    return [f"{found.count:,}", *(of_unit(value, row.unit) for value in values)]


def _counter(row: Row) -> list[str]:
    rate = row.summary.per_second
    return [plain(row.summary.sum), "" if rate is None else plain(rate * 60)]


def _gauge(row: Row) -> list[str]:
    found = row.summary
    return [of_unit(value, row.unit) for value in (row.last, found.mean, found.least, found.most)]


def _trend(row: Row) -> str:
    """The line in as few steps as there is room for: the greatest value of each."""
    values = [value for _, value in row.values()]
    size = max(1, -(-len(values) // _TREND))
    steps = [[value for value in values[n : n + size] if value is not None] for n in range(0, len(values), size)]
    return sparkline([max(step) if step else None for step in steps])
