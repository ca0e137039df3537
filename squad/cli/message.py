"""``squad message list`` and ``show``, read from the store whether the squad runs or not, and ``cancel``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from squad.cli import completion_values, life
from squad.cli.ages import ago
from squad.cli.command import Group, current_home, output_option
from squad.cli.documents import first_line
from squad.cli.outcome import how_it_ended
from squad.cli.output import STATUS, Column, on_terminal, print_json, print_table, say, short_id
from squad.errors import SquadError
from squad.store.documents import messages_document

if TYPE_CHECKING:
    from squad.store.queries import MessageRow

_STATUSES = ("queued", "running", "completed", "failed", "cancelled", "expired")


@click.group(
    cls=Group,
    examples=[
        "squad message list --status failed",
        "squad message show 7f3c9a12b4de",
        "squad message cancel 7f3c9a12b4de --tree",
    ],
)
def command() -> None:
    """List, show and cancel messages."""


@command.command(
    "list",
    examples=[
        "squad message list",
        "squad message list --agent checker --status failed --limit 5",
        "squad message list --type check_file -o json",
    ],
)
@click.option(
    "-a",
    "--agent",
    metavar="NAME",
    help="Only messages to this agent or convoy.",
    shell_complete=completion_values.recipients,
)
@click.option(
    "-t",
    "--type",
    "type_",
    metavar="TYPE",
    help="Only messages of this type.",
    shell_complete=completion_values.types,
)
@click.option("-s", "--status", type=click.Choice(_STATUSES), metavar="STATUS", help=f"One of {', '.join(_STATUSES)}.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 100_000), default=20, metavar="N", help="How many at most (default: 20)."
)
@click.option("--archived", is_flag=True, help="Those that ended so long ago that they are in the archive.")
@output_option
def list_messages(  # noqa: PLR0913, PLR0917 - the options
    agent: str | None, type_: str | None, status: str | None, limit: int, archived: bool, as_json: bool
) -> None:
    """List messages, the newest first. On a terminal ids are shortened to their end, which is enough for `show`."""
    from squad.store import queries
    from squad.store.database import open_reader

    which = queries.Filter(agent=agent, type=type_, status=status)
    with open_reader(current_home().database) as pool, pool.connection() as database:
        found = queries.archived(database, which, limit) if archived else queries.messages(database, which, limit)
    if as_json:
        print_json(messages_document(found))
        return
    columns = [Column("ID"), Column("AGENT"), Column("TYPE"), STATUS, Column("CREATED", right=on_terminal())]
    columns += [Column("TOOK", right=True), Column("ERROR", style=lambda _: "red", fold=True)]
    print_table(columns, [_line(row) for row in found], empty="no message fits")


def _line(row: MessageRow) -> list[str]:
    short = on_terminal()
    return [
        short_id(row.task_id),
        row.recipient,
        row.type,
        row.status,
        ago(row.created_at) if short else row.created_at,
        "" if row.duration_ms is None else f"{row.duration_ms} ms",
        first_line(row.error_message),
    ]


@command.command("show", examples=["squad message show 7f3c9a12b4de", "squad message show 7f3c9a12b4de -o json"])
@click.argument("id_", metavar="ID", shell_complete=completion_values.messages)
@output_option
def show_message(id_: str, as_json: bool) -> None:
    """Show one message's whole life: its times, attempts and errors, what caused it, what it caused.

    Of the ID its beginning or its end is enough, from 6 characters on, when no other message's is the same.
    """
    shown = life.read(current_home(), id_, as_json)
    if as_json:
        print_json(shown.document())
    else:
        life.show(shown)


@command.command(
    "cancel", examples=["squad message cancel 7f3c9a12b4de", "squad message cancel 7f3c9a12b4de --tree -o json"]
)
@click.argument("id_", metavar="ID", shell_complete=completion_values.open_messages)
@click.option("--tree", is_flag=True, help="Cancel all that came of it as well.")
@output_option
def cancel_message(id_: str, tree: bool, as_json: bool) -> None:
    """Cancel a message that waits or runs.

    One that waits is never handled. A handler that runs is told; if it does not end in time (its agent's cancel_grace,
    5 s unless set) its process is ended. What completes nevertheless stays completed. The exit status is 1 when there
    was nothing left to cancel.
    """
    from squad.client import Client

    home = current_home()
    with Client(home) as squad:
        detail = life.find(home, id_)
        nothing = {"cancelled": 0, "running": 0}  # is left to be done for one in the archive
        done = nothing if detail.archived else squad.cancel(detail.message.task_id, tree=tree)
    if as_json:
        print_json({"id": detail.message.task_id, "cancelled": done["cancelled"], "running": done["running"]})
    if not done["cancelled"] and not done["running"]:
        what = "its whole tree has ended" if tree else f"it has ended: {how_it_ended(detail.message)}"
        raise SquadError(f"there is nothing to cancel: {what}", hint=f"squad message show {id_}")
    if not as_json:
        running = done["running"]
        told = f"{running} that {'is' if running == 1 else 'are'} running told to end" if running else ""
        cancelled = f"{done['cancelled']} cancelled" if done["cancelled"] else ""
        say(", ".join(filter(None, (cancelled, told))))
