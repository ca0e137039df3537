"""``squad queue``: how much waits for whom."""

from __future__ import annotations

import click

from squad.cli.command import Command, current_home, output_option
from squad.cli.output import Column, print_json, print_table

_COLUMNS = [
    Column("AGENT"),
    Column("QUEUED", right=True),
    Column("HIGH", right=True),
    Column("NORMAL", right=True),
    Column("LOW", right=True),
    Column("DELAYED", right=True),
    Column("RUNNING", right=True),
]


@click.command(cls=Command, examples=["squad queue", "squad queue -o json"])
@output_option
def command(as_json: bool) -> None:
    """Show how many messages wait for whom.

    HIGH are priorities 1 and 2, NORMAL 3 to 7, LOW 8 to 10. DELAYED are those of the queued ones that are not due yet:
    sent with a delay, or waiting to be tried again. It is read from the store, so it works on a stopped squad too.
    """
    from squad.store import queries
    from squad.store.database import open_reader

    with open_reader(current_home().database) as pool, pool.connection() as database, database.atomic():
        depths = {depth.agent: depth for depth in queries.queue_depth(database)}
        counts = queries.open_counts(database)
    agents = []
    for name in sorted(depths.keys() | counts.keys()):
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
            }
        )
    if as_json:
        print_json({"agents": agents})
    else:
        print_table(_COLUMNS, [[str(value) for value in agent.values()] for agent in agents], empty="nothing waits")
