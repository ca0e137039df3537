"""``squad inspect``: the actor tree."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import click

from squad.cli.ages import ago, seconds_since, short
from squad.cli.command import Command, current_home, output_option
from squad.cli.output import Column, console, on_terminal, plain_lines, print_json, rich_table, say, state_style
from squad.cli.snapshot import Row, Snapshot, take
from squad.durations import format_size
from squad.errors import UsageError
from squad.terminal import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDE = 150  # columns of a terminal from which on everything fits into the table
_STALE = 3.0  # seconds after which the age of a row's news is shown
_REFRESH = 1.0  # seconds


@click.command(
    cls=Command,
    examples=[
        "squad inspect",
        "squad inspect checker",
        "squad inspect --watch",
        "squad inspect -o json",
    ],
)
@click.argument("name", required=False)
@click.option("-w", "--watch", is_flag=True, help="Refresh in place every second, until Ctrl-C.")
@output_option
@click.pass_context
def command(ctx: click.Context, name: str | None, watch: bool, as_json: bool) -> None:
    """Show the tree of all actors, and how each is.

    With NAME (an agent, a convoy, a worker) only that one and what is below it. AGE is shown when a row's news is older
    than 3 seconds. Without a running squad the last saved rows are shown and the exit status is 3; it is 5 when a
    running squad does not answer.
    """
    home = current_home()

    def look() -> Snapshot:
        snapshot = take(home)
        return snapshot.below(name) if name else snapshot

    if watch:
        if as_json or not on_terminal():
            raise UsageError("--watch needs a terminal, and draws a table only", hint="squad inspect -o json")
        _watch(look)
    snapshot = look()
    if as_json:
        print_json(snapshot.document())
    elif on_terminal():
        screen = console()
        screen.print(_drawn(snapshot, screen.width))
    else:
        click.echo("\n".join(plain_lines([*_COLUMNS, *_age(snapshot), *_WORK], _cells(snapshot, shorten=False))))
    if snapshot.note and (as_json or not on_terminal()):
        say(snapshot.note)
    ctx.exit(snapshot.status)


_COLUMNS = [
    Column("NAME", fold=True),
    Column("PID", right=True),
    Column("STATE", style=state_style),
    Column("SINCE", right=True),
    Column("RESTARTS", right=True, style=lambda cell: "" if cell in ("", "0") else "yellow"),
    Column("CPU", right=True),
    Column("MEMORY", right=True),
    Column("QUEUE", right=True),
    Column("HAND", right=True),
    Column("TOKENS", right=True),
]
_WORK = [Column("CURRENT", fold=True), Column("LAST ERROR", style=lambda _: "red", fold=True)]


_NARROW = {"RESTARTS": "RST"}  # titles that are wider than what stands below them


def _age(snapshot: Snapshot) -> list[Column]:
    shown = any((row.get("age") or 0) > _STALE for row in snapshot.actors)
    return [Column("AGE", right=True, style=lambda _: "yellow")] if shown else []


def _cells(snapshot: Snapshot, *, shorten: bool, work: bool = True) -> list[list[str]]:
    with_age = bool(_age(snapshot))
    lines = []
    for branch, row in snapshot.walk():
        cells = [branch + row["name"], *_figures(row)]
        if with_age:
            cells.append(short(row["age"]) if (row.get("age") or 0) > _STALE else "")
        if work:
            cells += [_current(row, shorten=shorten), row.get("last_error") or ""]
        lines.append([escape(cell) for cell in cells])
    return lines


def _figures(row: Row) -> list[str]:
    return [
        _shown(row.get("pid")),
        str(row["state"]),
        ago(row.get("since")),
        _shown(row.get("restarts")),
        _shown(row.get("cpu_percent"), "{:.0f}%"),
        "" if row.get("memory_bytes") is None else format_size(row["memory_bytes"]),
        _shown(row.get("queue_depth")),
        _shown(row.get("in_hand")),
        _shown(row.get("tokens"), "{:.0f}"),
    ]


def _shown(value: Any, form: str = "{}") -> str:
    return "" if value is None else form.format(value)


def _current(row: Row, *, shorten: bool) -> str:
    """The message in hand: its type, its id (the end of it, which is enough to show it), and for how long."""
    current = row.get("current")
    if not current:
        return ""
    shown = current["id"][-12:] if shorten else current["id"]
    return f"{current['type']} {shown} {short(seconds_since(current.get('since')))}"


def _drawn(snapshot: Snapshot, width: int) -> RenderableType:
    """The tree for a terminal: on a narrow one, what the actors work on and their errors come below the table."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    if snapshot.note:
        parts.append(Text(snapshot.note, style="bold yellow"))
    wide = width >= _WIDE
    columns = [*_COLUMNS, *_age(snapshot), *(_WORK if wide else [])]
    if not wide:
        columns = [replace(column, title=_NARROW.get(column.title, column.title)) for column in columns]
    parts.append(rich_table(columns, _cells(snapshot, shorten=True, work=wide), width))
    if wide:
        return Group(*parts)
    sections = {
        "Current messages": [(row["name"], _current(row, shorten=True), "") for row in snapshot.actors],
        "Last errors": [(row["name"], row.get("last_error") or "", "red") for row in snapshot.actors],
    }
    for title, entries in sections.items():
        told = [entry for entry in entries if entry[1]]
        if told:
            section = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
            for name, text, style in told:
                section.add_row(Text("  " + escape(name)), Text(escape(text), style=style, overflow="fold"))
            parts += [Text(""), Text(title, style="bold"), section]
    return Group(*parts)


def _watch(look: Callable[[], Snapshot]) -> NoReturn:
    from rich.live import Live

    screen = console()
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        while True:
            began = time.monotonic()
            live.update(_drawn(look(), screen.width), refresh=True)
            time.sleep(max(0.0, _REFRESH - (time.monotonic() - began)))
