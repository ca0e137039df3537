"""``squad metrics``: what was measured over a time, as a table, a document or a picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from squad.cli import completion_values
from squad.cli.command import Command, current_home, duration_option, output_option
from squad.cli.figures import of_unit, plain
from squad.cli.output import Column, on_terminal, print_heading, print_json, print_table, print_text, say
from squad.cli.sparkline import sparkline
from squad.durations import format_duration
from squad.errors import UsageError

if TYPE_CHECKING:
    from peewee import Database

    from squad.store.metrics import Series, Summary

By = Literal["agent", "type"]

_HOUR = 3600.0
_POINTS = 61  # steps of a line in the document: an hour touches so many minutes
_TREND = 20  # and in a table: as much as most terminals have room for


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
    from squad.store import metrics
    from squad.store.database import open_reader

    if plot is not None:
        from squad import pictures

        if as_json or by is not None:
            raise UsageError("--plot draws a picture: give it without -o json and --by")
        pictures.check(plot)
    if window == 0:
        raise UsageError("--window 0: nothing was measured in no time", hint="write for example --window 30m")
    until = time.time()
    since = until - (_HOUR if window is None else window)
    with open_reader(current_home().database) as pool, pool.connection() as database, database.atomic():
        known = metrics.known(database)
        _check(known, names, agent)
        if plot is not None:
            from squad.cli import metric_plots

            metric_plots.draw(
                database, [series for series in known if agent in (None, series.agent)], names, since, until, plot
            )
            say(f"{plot} is drawn")
            return
        rows = _rows(database, known, names, agent, by, since, until)
    if as_json:
        from squad.store.times import iso

        print_json({"since": iso(since), "until": iso(until), "metrics": [_document(row) for row in rows]})
    else:
        _print(rows, until - since)


def _check(known: list[Series], names: tuple[str, ...], agent: str | None) -> None:
    """Raises UsageError for a metric or an agent that there is not."""
    from squad.messages import did_you_mean
    from squad.metrics import CATALOGUE

    metrics = {*CATALOGUE, *(series.name for series in known)}
    for name in names:
        if name not in metrics:
            hint = did_you_mean(name, metrics) or "`squad metrics` shows all of them"
            raise UsageError(f"there is no metric {name!r}", hint=hint)
    agents = {series.agent for series in known if series.agent}
    if agent is not None and agent not in agents:
        hint = did_you_mean(agent, agents) or f"there is something of: {', '.join(sorted(agents)) or 'none'}"
        raise UsageError(f"nothing was measured of an agent {agent!r}", hint=hint)


class _Row:
    """What is shown of one metric, of one agent or type or of all."""

    def __init__(
        self, series: Series, label: tuple[str, str] | None, mixed: bool, summary: Summary, line: list[Any]
    ) -> None:
        from squad.metrics import CATALOGUE

        about = CATALOGUE.get(series.name)
        self.name = series.name
        self.kind = series.kind
        self.unit = about.unit if about else ""
        self.label = label
        self.mixed = mixed  # of several agents: the last of their readings would be anybody's
        self.summary = summary
        self.line: list[tuple[float, float | None]] = [(at, self._value(step)) for at, step in line]

    def _value(self, summary: Summary) -> float | None:
        """What a point of the line is: of a counter how much it grew a second, of a gauge the mean, else p95."""
        if self.kind == "counter":
            return summary.per_second
        return summary.mean if self.kind == "gauge" else summary.percentile(0.95)


def _rows(  # noqa: PLR0913, PLR0917 - all that was asked for
    database: Database,
    known: list[Series],
    names: tuple[str, ...],
    agent: str | None,
    by: By | None,
    since: float,
    until: float,
) -> list[_Row]:
    from squad.store import metrics

    of = {series.name: series for series in known if agent in (None, series.agent)}
    group: By | None = by or ("agent" if names and agent is None else None)
    rows = []
    for name in names or sorted(of):
        if name not in of:  # nothing was ever recorded of it
            continue
        agents = {series.agent for series in known if series.name == name}
        mixed = group != "agent" and agent is None and len(agents) > 1
        for key, summary in sorted(metrics.window(database, name, since, until, agent=agent, by=group).items()):
            only: dict[str, Any] = {"agent": agent} if agent is not None else {}
            label = (group, key) if group is not None and key else None
            line = metrics.line(database, name, since, until, **only | ({group: key} if group else {}), points=_POINTS)
            rows.append(_Row(of[name], label or (("agent", agent) if agent else None), mixed, summary, line))
    return rows


def _document(row: _Row) -> dict[str, Any]:
    from squad.store.spread import percentiles, rounded
    from squad.store.times import iso

    summary, kind = row.summary, row.kind
    label, value = row.label or ("agent", None)
    return {
        "name": row.name,
        "kind": kind,
        "unit": row.unit or None,
        "agent": value if label == "agent" else None,
        "type": value if label == "type" else None,
        "seconds": rounded(summary.seconds),
        "count": summary.count,
        "sum": rounded(summary.sum),
        "per_second": rounded(summary.per_second) if kind == "counter" else None,
        "mean": None if kind == "counter" else rounded(summary.mean),
        "least": rounded(summary.least),
        "most": rounded(summary.most),
        "last": rounded(summary.last) if kind == "gauge" and not row.mixed else None,
        **percentiles(summary if kind == "histogram" else None),
        "points": [{"at": iso(at), "value": rounded(value)} for at, value in row.line],
    }


# -- tables


def _print(rows: list[_Row], window: float) -> None:
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


def _table(title: str, columns: list[str], rows: list[_Row], cells: Any) -> None:
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


def _histogram(row: _Row) -> list[str]:
    found = row.summary
    values = [*(found.percentile(q) for q in (0.5, 0.95, 0.99)), found.most]
    return [f"{found.count:,}", *(of_unit(value, row.unit) for value in values)]


def _counter(row: _Row) -> list[str]:
    rate = row.summary.per_second
    return [plain(row.summary.sum), "" if rate is None else plain(rate * 60)]


def _gauge(row: _Row) -> list[str]:
    found, unit = row.summary, row.unit
    last = None if row.mixed else found.last
    return [of_unit(value, unit) for value in (last, found.mean, found.least, found.most)]


def _trend(row: _Row) -> str:
    """The line in as few steps as there is room for: the greatest value of each."""
    values = [value for _, value in row.line]
    size = max(1, -(-len(values) // _TREND))
    steps = [[value for value in values[n : n + size] if value is not None] for n in range(0, len(values), size)]
    return sparkline([max(step) if step else None for step in steps])
