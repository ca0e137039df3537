"""``squad schedule list`` and ``run``."""

from __future__ import annotations

from typing import Any

import click

from squad.cli import completion_values
from squad.cli.command import Group, current_home, output_option
from squad.cli.output import Column, print_json, print_table, print_text, say
from squad.errors import Exit, NotRunningError
from squad.home import Home


@click.group(cls=Group, examples=["squad schedule list", "squad schedule run nightly"])
def command() -> None:
    """List schedules, and run one by hand."""


@command.command("list", examples=["squad schedule list", "squad schedule list -o json"])
@output_option
@click.pass_context
def list_schedules(ctx: click.Context, as_json: bool) -> None:
    """List the schedules: when each runs next, when it ran last, and what happens to missed runs.

    Times are in UTC. A run by hand is not among the last ones: it has the sender `schedule:NAME` as they have. Without
    a running squad they are listed as the store knows them, without recipient and type, and the exit status is 3.
    """
    from squad.client import Client

    home = current_home()
    stopped = ""
    try:
        with Client(home) as squad:
            schedules = squad.schedules()
    except NotRunningError:
        if home.launcher() is not None or not home.database.exists():
            raise
        schedules, stopped = _remembered(home), "no squad is running: these are the schedules of which the store knows"
    if as_json:
        print_json({"schedules": schedules})
    else:
        _print(schedules)
    if stopped:
        say(stopped)
        ctx.exit(Exit.NOT_RUNNING)


def _remembered(home: Home) -> list[dict[str, Any]]:
    import time

    from squad.actors.scheduling.schedules import remembered
    from squad.store import queries
    from squad.store.database import open_reader

    with open_reader(home.database) as pool, pool.connection() as database:
        kept = {key: entry.value for key, entry in queries.keeper(database).items()}
    return remembered(kept, time.time())


def _print(schedules: list[dict[str, Any]]) -> None:
    titles = ("SCHEDULE", "NEXT", "LAST", "MISSED", "CRON", "TIMEZONE", "RECIPIENT", "TYPE")
    print_table(
        [Column(title) for title in titles],
        [
            [
                schedule["name"],
                _to_the_second(schedule["next"]),
                _to_the_second(schedule["last"] and schedule["last"]["planned"]),
                *(schedule[key] or "" for key in ("missed", "cron", "timezone", "recipient", "type")),
            ]
            for schedule in schedules
        ],
        empty="no schedules",
    )


@command.command("run", examples=["squad schedule run nightly", "squad schedule run nightly -o json"])
@click.argument("name", shell_complete=completion_values.schedules)
@output_option
def run_schedule(name: str, as_json: bool) -> None:
    """Send the message of the schedule NAME now, and print its id. Its planned runs stay as they are."""
    from squad.client import Client

    with Client(current_home()) as squad:
        task_id = squad.run_schedule(name)
    if as_json:
        print_json({"schedule": name, "id": task_id})
    else:
        print_text(task_id)


def _to_the_second(moment: str | None) -> str:
    """A planned time has no fraction."""
    return "" if moment is None else moment.replace(".000Z", "Z")
