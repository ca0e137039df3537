"""``squad queue``: how much waits for whom."""

from __future__ import annotations

import click

from squad.cli.command import Command, current_home, output_option
from squad.cli.holding import frozen_line
from squad.cli.output import Column, print_json, print_table, say

_COLUMNS = [
    Column("AGENT"),
    Column("QUEUED", right=True),
    Column("HIGH", right=True),
    Column("NORMAL", right=True),
    Column("LOW", right=True),
    Column("DELAYED", right=True),
    Column("RUNNING", right=True),
]
_HELD = Column("HELD")


@click.command(cls=Command, examples=["squad queue", "squad queue -o json"])
@output_option
def command(as_json: bool) -> None:
    """Show how many messages wait for whom.

    HIGH are priorities 1 and 2, NORMAL 3 to 7, LOW 8 to 10. DELAYED are those of the queued ones that are not due yet:
    sent with a delay, or waiting to be tried again. HELD, while anything is, says who is paused, or that the squad
    is frozen. It is read from the store, so it works on a stopped squad too.
    """
    from squad.store import reports
    from squad.store.database import open_reader

    with open_reader(current_home().database) as pool, pool.connection() as database:
        report = reports.queues(database)
    if as_json:
        print_json(report)
        return
    columns = [*_COLUMNS, _HELD] if report["frozen"] or report["paused"] else _COLUMNS
    rows = [
        ["" if value is None else str(value) for value in agent.values()][: len(columns)] for agent in report["agents"]
    ]
    print_table(columns, rows, empty="nothing waits")
    if frozen := frozen_line(report["frozen"]):
        say(frozen)
