"""``squad convoy list``, ``show`` and ``resize``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from squad import convoys
from squad.cli import completion_values
from squad.cli.command import Group, current_home, output_option
from squad.cli.output import Column, print_heading, print_json, print_table, print_text, say, state_style
from squad.cli.snapshot import take
from squad.errors import UsageError
from squad.home import Home

if TYPE_CHECKING:
    from squad.store.queries import ResizeRow

_HISTORY = 20  # resizes in a table, the newest


@click.group(
    cls=Group,
    examples=[
        "squad convoy list",
        "squad convoy show checker",
        "squad convoy resize checker 4",
        "squad convoy resize checker auto",
    ],
)
def command() -> None:
    """List, show and resize convoys: pools of identical agents."""


@command.command("list", examples=["squad convoy list", "squad convoy list -o json"])
@output_option
@click.pass_context
def list_convoys(ctx: click.Context, as_json: bool) -> None:
    """List the convoys with their sizes.

    Without a running squad they are shown as they were saved last, and the exit status is 3.
    """
    snapshot = take(current_home())
    found = convoys.listed(snapshot.document())
    if as_json:
        print_json(found)
    else:
        figures = [Column(name, right=True) for name in ("SIZE", "TARGET", "MIN", "MAX")]
        columns = [Column("CONVOY"), Column("STATE", style=state_style), *figures, Column("PINNED")]
        columns += [Column("QUEUE", right=True), Column("HAND", right=True), Column("REASON", fold=True)]
        cells = [[_cell(convoy[field]) for field in convoys.FIELDS] for convoy in found["convoys"]]
        print_table(columns, cells, empty="no convoys")
    if snapshot.note:
        say(snapshot.note)
    ctx.exit(snapshot.status)


@command.command("show", examples=["squad convoy show checker", "squad convoy show checker -o json"])
@click.argument("name", shell_complete=completion_values.convoys)
@output_option
@click.pass_context
def show_convoy(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show one convoy: its size, its workers, and why it was resized.

    Without a running squad it is shown as it was saved last, and the exit status is 3.
    """
    home = current_home()
    snapshot = take(home)
    convoy, workers = convoys.find(snapshot.document(), name)
    history = _history(home, name, convoys.RESIZES if as_json else _HISTORY)
    if as_json:
        print_json(convoys.shown(snapshot.document(), name, history))
    else:
        _print(convoys.facts(convoy), workers, history)
    if snapshot.note:
        say(snapshot.note)
    ctx.exit(snapshot.status)


@command.command("resize", examples=["squad convoy resize checker 4", "squad convoy resize checker auto"])
@click.argument("name", shell_complete=completion_values.convoys)
@click.argument("size", metavar="SIZE|auto")
@output_option
def resize_convoy(name: str, size: str, as_json: bool) -> None:
    """Give a convoy a SIZE, which it keeps until it is resized again; `auto` gives it back to the monitor.

    A worker that has to go finishes the message it has in hand first.
    """
    if size != "auto" and not (size.isascii() and size.isdigit() and len(size) < 6):
        raise UsageError(f"{size!r} is no size for a convoy", hint=f"squad convoy resize {name} 4, or auto")

    from squad.client import Client

    with Client(current_home()) as squad:
        done = squad.resize(name, None if size == "auto" else int(size))
    if as_json:
        print_json({key: done[key] for key in ("convoy", "size", "pinned")})
    else:
        say(f"{name}: {done['size']} workers{'' if done['pinned'] else ', sized by the monitor from now on'}")


def _history(home: Home, name: str, most: int) -> list[ResizeRow]:
    from squad.store import queries
    from squad.store.database import open_reader

    with open_reader(home.database) as pool, pool.connection() as database:
        return queries.resizes(database, name, most)


def _print(convoy: dict[str, Any], workers: list[convoys.Row], history: list[ResizeRow]) -> None:
    print_heading(convoy["name"])
    print_text(
        "\n".join(f"  {name.replace('_', ' '):<11} {_cell(value)}" for name, value in convoy.items() if name != "name")
    )
    if workers:
        print_text("")
        print_table(
            [
                Column("WORKER"),
                Column("PID", right=True),
                Column("STATE", style=state_style),
                Column("HAND", right=True),
            ],
            [[row["name"], _cell(row["pid"]), row["state"], _cell(row["in_hand"])] for row in workers],
        )
    if history:
        print_text("")
        print_table(
            [Column("RESIZED AT"), Column("FROM", right=True), Column("TO", right=True), Column("REASON", fold=True)],
            [[row.at, str(row.from_size), str(row.to_size), row.reason] for row in history],
        )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
