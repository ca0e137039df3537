"""``squad freeze``."""

from __future__ import annotations

import click

from squad.cli.command import Command, current_home, duration_option, output_option
from squad.cli.holding import frozen_line, me
from squad.cli.output import print_json, say
from squad.durations import format_duration
from squad.errors import UsageError

_GRACE = 5.0  # seconds


@click.command(
    cls=Command,
    examples=["squad freeze", 'squad freeze --grace 0 --reason "wrong numbers"', "squad freeze --let-finish"],
)
@duration_option("--grace", help="Time for running handlers to end (5s unless given); then their processes are ended.")
@click.option("--let-finish", is_flag=True, help="Let running handlers finish, however long they take.")
@click.option("--reason", metavar="TEXT", default="", help="Why, for whoever wonders.")
@output_option
def command(grace: float | None, let_finish: bool, reason: str, as_json: bool) -> None:
    """The emergency stop of all handling: nobody is given a new message.

    Handlers that run have --grace to end; then their processes are ended, and their messages go back into the queue
    without an attempt charged. Messages are still accepted and kept. Runs of schedules are missed, as while a squad is
    stopped. A freeze outlives every restart, until squad thaw. Said again it can only hurry those that still run.
    """
    if let_finish and grace is not None:
        raise UsageError("--let-finish and --grace contradict each other: give one of them")
    seconds = None if let_finish else _GRACE if grace is None else grace

    from squad.client import Client

    with Client(current_home()) as squad:
        changed = squad.freeze(grace=seconds, reason=reason, by=me())
        frozen = squad.holds()["frozen"]
    if as_json:
        print_json({"changed": changed, "frozen": frozen})
        return
    if not changed:
        say("the squad was frozen already")
    left = "as long as they need" if seconds is None else format_duration(seconds)
    say(f"{frozen_line(frozen)}; handlers that still run have {left}")
