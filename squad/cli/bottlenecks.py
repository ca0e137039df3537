"""``squad bottlenecks``: what takes long, and whose fault it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from squad.cli.ages import ago, short
from squad.cli.command import Command, current_home, output_option
from squad.cli.figures import milliseconds
from squad.cli.moments import since_option
from squad.cli.output import Column, on_terminal, print_heading, print_json, print_table, print_text, say, short_id
from squad.cli.sparkline import sparkline

if TYPE_CHECKING:
    from peewee import Database

    from squad.store.bottlenecks import By

_LIMIT = 10
_TREND = 16  # steps of the line that shows how p95 has been

_SLOWEST = [
    Column("SLOWEST"),
    Column("AGENT"),
    Column("TYPE", fold=True),
    Column("TOOK", right=True),
    Column("WAITED", right=True),
    Column("ENDED", right=True),
]
_RUNNING = [Column("IN HAND"), Column("WORKER"), Column("TYPE", fold=True), Column("FOR", right=True)]
_FIGURES = [
    Column("COUNT", right=True),
    Column("P50", right=True),
    Column("P95", right=True),
    Column("P99", right=True),
    Column("MOST", right=True),
    Column("WAIT P95", right=True),
    Column("SHARE", right=True),
]


@click.command(
    cls=Command,
    examples=[
        "squad bottlenecks",
        "squad bottlenecks --since 1h --limit 50",
        "squad bottlenecks --by agent",
        "squad bottlenecks --by type --since 7d -o json",
    ],
)
@click.option(
    "-n", "--limit", type=click.IntRange(1, 10_000), default=_LIMIT, metavar="N", help=f"Rows (default: {_LIMIT})."
)
@click.option("--by", type=click.Choice(["agent", "type"]), help="Only percentiles: of each agent, or each type.")
@since_option("Only what ended since (default: 24h): so long ago, or")
@output_option
def command(limit: int, by: By | None, since: float | None, as_json: bool) -> None:
    """Show what is slow: which messages, agents and types.

    First the slowest messages that were completed, and those that are in agents' hands for more than a second.
    TOOK is how long the handler ran, WAITED how long the message had waited for it from when it was ready. P50, P95,
    P99 and MOST are of the first, WAIT P95 of the second. SHARE is the part of all handlers' time. Percentiles come
    from the metrics: 4.5 % off at most, and of whole minutes, or hours when it is longer ago. It is read from the
    database, so it works on a stopped squad too.
    """
    from squad.store import bottlenecks
    from squad.store.database import open_reader

    now = time.time()
    begin = now - bottlenecks.DAY if since is None else since
    with open_reader(current_home().database) as pool, pool.connection() as database:
        document = bottlenecks.report(database, limit, by, begin, now)
        if as_json:
            print_json(document)
            return
        for key, group in bottlenecks.GROUPS.items() if on_terminal() else ():
            for row in document.get(key, ()):
                row["trend"] = _trend(database, group, row[group], begin, now)
    _print(document, begin)


def _trend(database: Database, by: By, name: str, since: float, until: float) -> list[float | None]:
    """How p95 has been."""
    from squad.store import metrics

    only: dict[str, Any] = {by: name}
    steps = metrics.line(database, "handling_ms", since, until, **only, points=_TREND)
    return [summary.percentile(0.95) for _, summary in steps]


def _print(document: dict[str, Any], since: float) -> None:
    from squad.store.bottlenecks import GROUPS

    told = f"since {time.strftime('%Y-%m-%d %H:%M', time.localtime(since))}"
    if not any(document.get(key) for key in ("tasks", "running", "agents", "types")):
        say(f"nothing was completed {told}: --since 30d looks farther back")
        return
    sections = []
    if document.get("tasks"):
        sections.append(
            (
                _SLOWEST,
                [
                    [
                        short_id(task["id"]),
                        task["agent"],
                        task["type"],
                        milliseconds(task["duration_ms"]),
                        milliseconds(task["waited_ms"]),
                        f"{ago(task['completed_at'])} ago",
                    ]
                    for task in document["tasks"]
                ],
            )
        )
    if document.get("running"):
        sections.append(
            (
                _RUNNING,
                [
                    [
                        short_id(task["id"]),
                        task["worker"].rpartition(".")[0] or task["agent"],
                        task["type"],
                        short(task["running_ms"] / 1000),
                    ]
                    for task in document["running"]
                ],
            )
        )
    for key, name in GROUPS.items():
        if document.get(key):
            sections.append(_figures(name, document[key]))
    print_heading(f"Handled {told}")
    for columns, rows in sections:
        print_text("")
        print_table(columns, rows)
    if not document.get("agents") and not document.get("types"):
        say("there are no percentiles: no metrics were recorded in that time")


def _figures(name: str, rows: list[dict[str, Any]]) -> tuple[list[Column], list[list[str]]]:
    trend = [Column("P95 OVER TIME", style=lambda _: "cyan")] if on_terminal() else []
    cells = []
    for row in rows:
        handling, waiting = row["handling_ms"], row["waiting_ms"] or {}
        cells.append(
            [
                row[name],
                f"{handling['count']:,}",
                *(milliseconds(handling[key]) for key in ("p50", "p95", "p99", "most")),
                milliseconds(waiting.get("p95")),
                f"{row['share']:.0%}",
                *([sparkline(row["trend"])] if trend else []),
            ]
        )
    return [Column(name.upper(), fold=True), *_FIGURES, *trend], cells
