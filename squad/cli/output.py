"""How data is printed: a table for people, or one JSON document for programs.

On a terminal a table is drawn by rich, with colours and fitted to the width. Anywhere else it is plain text in which
nothing is shortened, wrapped or coloured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from squad.terminal import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SCHEMA_VERSION = 1
_FOLDED = 20  # columns of the terminal that a cell which may be folded should have at least


@dataclass(frozen=True, slots=True)
class Column:
    """``style`` gives the rich style of a cell's text, such as ``red``; "" for none."""

    title: str
    right: bool = False
    style: Callable[[str], str] | None = None
    fold: bool = False  # may be wrapped when the terminal is narrow


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document with ``schema_version``. ASCII only, so that no terminal and no encoding can stumble."""
    content = {"schema_version": SCHEMA_VERSION, **document}
    click.echo(json.dumps(content, indent=2))


def say(text: str) -> None:
    """A message for the user, on standard error."""
    click.echo(escape(text, lines=True), err=True)


def print_text(text: str) -> None:
    click.echo(escape(text, lines=True))


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, empty: str = "") -> None:
    """Print the rows under the columns' titles; ``empty`` is said on standard error when there are none."""
    safe = [[escape(cell) for cell in row] for row in rows]
    if not safe:
        if empty:
            say(empty)
        return
    if on_terminal():
        screen = console()
        screen.print(rich_table(columns, safe, screen.width))
    else:
        click.echo("\n".join(plain_lines(columns, safe)))


def print_heading(text: str) -> None:
    """A line that stands out on a terminal."""
    if on_terminal():
        from rich.text import Text

        console().print(Text(escape(text), style="bold"))
    else:
        click.echo(escape(text))


def short_id(task_id: str) -> str:
    """An id for a table: on a terminal the end of it, which is enough to show that message."""
    return task_id[-12:] if on_terminal() else task_id


def pretty(value: Any) -> str:
    """A JSON value for people and programs alike: indented, and in ASCII when it holds what a terminal must not get."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if escape(text, lines=True) == text else json.dumps(value, indent=2)


def readable(result: Any) -> str:
    """A message's result: a text, such as what a command printed, as it is; anything else as ``pretty`` has it."""
    return result if isinstance(result, str) else pretty(result)


def on_terminal() -> bool:
    return sys.stdout.isatty()


def console() -> Console:
    """Rich's console on standard output; it honours NO_COLOR. Only for a terminal."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


def rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Table:
    """A rich table of cells that are escaped already, drawn closer together when it does not fit into ``width``."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    widths = [max(map(cell_len, cells)) for cells in zip([column.title for column in columns], *rows, strict=True)]
    least = sum(min(_FOLDED, wide) if column.fold else wide for column, wide in zip(columns, widths, strict=True))
    gap = 2 if least + 2 * (len(columns) - 1) <= width else 1
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=not column.fold,
            overflow="fold" if column.fold else "ellipsis",
        )
    for row in rows:
        cells = zip(row, columns, strict=True)
        table.add_row(*(Text(cell, style=column.style(cell) if column.style else "") for cell, column in cells))
    return table


def plain_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """The table as aligned lines, whatever their width; an empty cell is written ``-`` so that columns can be cut."""
    titles = [column.title for column in columns]
    shown = [titles, *([cell or "-" for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in shown) for i in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in shown
    ]


_STATE_STYLES = {
    "ready": "green",
    "idle": "green",
    "completed": "green",
    "busy": "cyan",
    "running": "cyan",
    "starting": "yellow",
    "draining": "yellow",
    "restarting": "yellow",
    "resizing": "yellow",
    "queued": "yellow",
    "quarantined": "bold red",
    "throttled": "bold yellow",
    "hung": "bold red",
    "failing": "bold red",
    "behind": "bold yellow",
    "damaged": "bold red",
    "failed": "bold red",
    "stopped": "dim",
    "cancelled": "dim",
    "expired": "dim",
}


def state_style(state: str) -> str:
    """The colour of an actor's state or a message's status; ``idle (paused)`` stands out."""
    return "bold yellow" if state.endswith(("(paused)", "(frozen)")) else _STATE_STYLES.get(state.partition(" ")[0], "")


STATUS = Column("STATUS", style=state_style)
