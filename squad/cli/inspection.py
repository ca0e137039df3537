"""``squad inspect``: the actor tree."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor
from typing import TYPE_CHECKING, NoReturn

import click

from squad.cli import completion_values
from squad.cli.ages import ago, seconds_since, short
from squad.cli.command import Command, current_home, output_option
from squad.cli.documents import first_line
from squad.cli.holding import frozen_line
from squad.cli.output import (
    Column,
    console,
    on_terminal,
    plain_lines,
    print_json,
    rich_table,
    say,
    short_id,
    state_style,
)
from squad.cli.snapshot import Row, Snapshot, take
from squad.durations import format_size
from squad.errors import UsageError
from squad.terminal import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDE = 160  # columns of a terminal from which on everything fits into the table
_STALE = 3.0  # seconds after which the age of a row's news is shown
_REFRESH = 1.0  # seconds


@click.command(
    cls=Command,
    examples=[
        "squad inspect",
        "squad inspect checker",
        "squad inspect --watch",
        "squad inspect --why d9fc27f0b1e3",
        "squad inspect -o json",
    ],
)
@click.argument("name", required=False, shell_complete=completion_values.actors)
@click.option("-w", "--watch", is_flag=True, help="Refresh in place every second, until Ctrl-C.")
@click.option(
    "--why",
    metavar="ID",
    shell_complete=completion_values.open_messages,
    help="Say what holds this message, and until when.",
)
@output_option
@click.pass_context
def command(ctx: click.Context, name: str | None, watch: bool, why: str | None, as_json: bool) -> None:
    """Show the tree of all actors, and how each is.

    With NAME (an agent, a convoy, a worker) only that one and what is below it. AGE is how old a row's news is; a
    narrow terminal shows it when that is over 3 seconds. Without a running squad the last saved rows are shown and the
    exit status is 3; it is 5 when a running squad does not answer.

    With --why, and a message's id or the last characters of it: everything that holds that message now, what clears
    last first, and when that should be or what to type. Without a running squad it is read from the database.
    """
    home = current_home()
    if why is not None:
        if name or watch:
            raise UsageError("--why is about one message: give it without NAME and --watch")
        from squad.cli.why import show

        ctx.exit(show(home, why, as_json))

    def look() -> Snapshot:
        snapshot = take(home)
        return snapshot.below(name) if name else snapshot

    if watch:
        if as_json or not on_terminal():
            raise UsageError("--watch needs a terminal, and draws a table only", hint="squad inspect -o json")
        _watch(look, detailed=name is not None)
    snapshot = look()
    if as_json:
        print_json(snapshot.document())
    elif on_terminal():
        screen = console()
        screen.print(_drawn(snapshot, screen.width, detailed=name is not None))
    else:
        click.echo("\n".join(plain_lines(*_table(snapshot, _LONG))))
    for note in (snapshot.note, frozen_line(snapshot.frozen)):
        if note and (as_json or not on_terminal()):
            say(note)
    ctx.exit(snapshot.status)


@dataclass(frozen=True, slots=True)
class _Field:
    """A column and what it says of an actor. ``narrow`` is its title on a narrow terminal; "" for left out there."""

    column: Column
    text: Callable[[Row], str]
    narrow: str = ""

    def on(self, width: int) -> Column | None:
        if width >= _WIDE:
            return self.column
        return replace(self.column, title=self.narrow) if self.narrow else None


def _number(key: str, form: str = "{}") -> Callable[[Row], str]:
    return lambda row: "" if row.get(key) is None else form.format(row[key])


def _memory(row: Row) -> str:
    return "" if row.get("memory_bytes") is None else format_size(row["memory_bytes"])


def _age(row: Row) -> str:
    return short(row.get("age") or 0.0)


def _state(row: Row) -> str:
    """Its state, and whether it is on hold or why it does not run: ``idle (paused)``, ``quarantined (hung)``."""
    held, state = row.get("held"), str(row["state"])
    more = held["kind"] if held else row.get("last_cause") if state in ("quarantined", "restarting") else None
    return f"{state} ({more})" if more else state


def _stale(row: Row) -> bool:
    return (row.get("age") or 0.0) > _STALE


def _current(row: Row) -> str:
    """The message in hand: its type, its id, and for how long."""
    current = row.get("current")
    if not current:
        return ""
    return f"{current['type']} {short_id(current['id'])} {short(seconds_since(current.get('since')))}"


def _uptime(row: Row) -> str:
    """How much of the time since it was first ready it was ready to handle. Never rounded up to all of it."""
    percent = row.get("uptime_percent")
    return "" if percent is None else "100%" if percent >= 100 else f"{floor(percent * 100) / 100:.2f}%"


def _yellow(cell: str) -> str:
    return "" if cell in ("", "0") else "yellow"


_AGE = _Field(Column("AGE", right=True), _age, "AGE")
_FIELDS = [
    _Field(Column("KIND"), lambda row: str(row["kind"])),
    _Field(Column("PID", right=True), _number("pid"), "PID"),
    _Field(Column("STATE", style=state_style), _state, "STATE"),
    _Field(Column("SINCE", right=True), lambda row: ago(row.get("since")), "SINCE"),
    _Field(Column("UP", right=True), lambda row: ago(row.get("started"))),
    _Field(Column("UPTIME", right=True), _uptime),
    _Field(Column("RESTARTS", right=True, style=_yellow), _number("restarts"), "RST"),
    _Field(Column("CPU", right=True), _number("cpu_percent", "{:.0f}%"), "CPU"),
    _Field(Column("MEMORY", right=True), _memory, "MEMORY"),
    _Field(Column("QUEUE", right=True), _number("queue_depth"), "QUEUE"),
    _Field(Column("HAND", right=True), _number("in_hand"), "HAND"),
    _Field(Column("TOKENS", right=True), _number("tokens", "{:.0f}"), "TOKENS"),
    _AGE,
    _Field(Column("CURRENT", fold=True), _current),
    _Field(Column("LAST ERROR", style=lambda _: "red", fold=True), lambda row: first_line(row.get("last_error"))),
]
_LONG = 1_000_000  # columns: wide enough for everything


def _table(snapshot: Snapshot, width: int) -> tuple[list[Column], list[list[str]]]:
    """Columns for that width, and the cells, escaped. Where there is little room AGE has some only when it matters."""
    stale = width >= _WIDE or any(map(_stale, snapshot.actors))
    fields = [field for field in _FIELDS if field.on(width) and (stale or field is not _AGE)]
    columns = [column for field in fields if (column := field.on(width))]
    rows = [
        [escape(text) for text in (branch + row["name"], *(field.text(row) for field in fields))]
        for branch, row in snapshot.walk()
    ]
    return [Column("NAME", fold=True), *columns], rows


def _drawn(snapshot: Snapshot, width: int, *, detailed: bool) -> RenderableType:
    """The tree for a terminal: on a narrow one, what does not fit into the table comes below it."""
    from rich.console import Group
    from rich.text import Text

    notes = [note for note in (snapshot.note, escape(frozen_line(snapshot.frozen))) if note]
    parts: list[RenderableType] = [Text(note, style="bold yellow") for note in notes]
    parts.append(rich_table(*_table(snapshot, width), width))
    if width < _WIDE:
        parts += _section("Current messages", snapshot, _current)
        parts += _section("Last errors", snapshot, lambda row: first_line(row.get("last_error")), "red")
        if detailed:
            parts += _section("Up, and how much of the time ready", snapshot, _up)
    return Group(*parts)


def _up(row: Row) -> str:
    return f"{ago(row.get('started'))} {_uptime(row)}".strip()


def _section(title: str, snapshot: Snapshot, text: Callable[[Row], str], style: str = "") -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    told = [(row["name"], said) for row in snapshot.actors if (said := text(row))]
    if not told:
        return []
    section = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for name, said in told:
        section.add_row(Text("  " + escape(name)), Text(escape(said), style=style, overflow="fold"))
    return [Text(""), Text(title, style="bold"), section]


def _watch(look: Callable[[], Snapshot], *, detailed: bool) -> NoReturn:
    from rich.live import Live

    screen = console()
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        while True:
            began = time.monotonic()
            live.update(_drawn(look(), screen.width, detailed=detailed), refresh=True)
            time.sleep(max(0.0, _REFRESH - (time.monotonic() - began)))
