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
    from squad.store import queries, waiting
    from squad.store.database import open_reader

    with open_reader(current_home().database) as pool, pool.connection() as database, database.atomic():
        depths = {depth.agent: depth for depth in queries.queue_depth(database)}
        counts = queries.open_counts(database)
        holds = waiting.holds(database)
    agents = []
    for name in sorted(depths.keys() | counts.keys() | holds.paused.keys()):
        depth = depths.get(name)
        queued, high, normal, low = (depth.queued, depth.high, depth.normal, depth.low) if depth else (0, 0, 0, 0)
        ready, running = counts.get(name, (0, 0))
        agents.append(
            {
                "agent": name,
                "queued": queued,
                "high": high,
                "normal": normal,
                "low": low,
                "delayed": queued - ready,
                "running": running,
                "held": "frozen" if holds.frozen is not None else "paused" if name in holds.paused else None,
            }
        )
    if as_json:
        print_json({"agents": agents, **holds.document()})
        return
    columns = [*_COLUMNS, _HELD] if holds else _COLUMNS
    rows = [["" if value is None else str(value) for value in agent.values()][: len(columns)] for agent in agents]
    print_table(columns, rows, empty="nothing waits")
    if frozen := frozen_line(holds.document()["frozen"]):
        say(frozen)
