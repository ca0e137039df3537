"""``squad stop``."""

from __future__ import annotations

import click

from squad.cli.command import Command, current_home, output_option
from squad.cli.output import Column, print_json, print_table, say


@click.command(cls=Command, examples=["squad stop", "squad stop --force", "squad stop --home /var/lib/squad/audit"])
@click.option("--force", is_flag=True, help="Do not wait for running handlers; what they had in hand is queued again.")
@output_option
def command(force: bool, as_json: bool) -> None:
    """Stop the squad, and wait until nothing of it is left.

    Agents take nothing new, and running handlers get the time that supervision.shutdown allows (30 s unless set).
    What they do not finish is named here and is queued again for the next start.
    """
    from squad import launcher

    home = current_home()
    holder = home.launcher()
    if holder is not None and not force:
        say(f"stopping {holder.name or 'the squad'}: running handlers may finish first (squad stop --force: at once)")
    stopped = launcher.stop(home.path, force=force)
    unfinished = [(item.agent, item.id, item.type) for item in stopped.unfinished]
    if as_json:
        print_json(
            {
                "forced": stopped.forced,
                "unfinished": [dict(zip(("agent", "id", "type"), item, strict=True)) for item in unfinished],
                "leftovers": stopped.leftovers,
            }
        )
        return
    if unfinished:
        say(f"stopped; {len(unfinished)} unfinished and queued again:")
        print_table([Column("AGENT"), Column("ID"), Column("TYPE")], unfinished)
    else:
        say("stopped")
    if stopped.leftovers:
        say(f"{stopped.leftovers} processes that were left over have been ended")
