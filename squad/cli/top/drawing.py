"""The picture that ``squad top`` draws: a head with the whole squad, a row for each actor, a line of help."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from squad.cli.ages import ago
from squad.cli.figures import megabytes, per_second
from squad.cli.holding import frozen_line
from squad.cli.output import Column, plain_lines
from squad.cli.snapshot import Row
from squad.cli.sparkline import sparkline
from squad.cli.top.columns import FIELDS, Layout, cells, lay_out
from squad.cli.top.readings import LATENCY_WINDOW, Look
from squad.cli.top.view import ORDERS, View
from squad.terminal import escape

if TYPE_CHECKING:
    from rich.text import Text

_WELL = ("ready", "idle", "busy", "throttled")
_HELP = f"""
 q             leave (Ctrl-C as well)
 Up, Down      scroll by a row (k, j)
 PgUp, PgDn    scroll by a page (b, Space)
 Home, End     to the first row, to the last (g, G)
 s, S          sort by the next column, by the one before
 {"   ".join(f"{order.key} {order.name}" for order in ORDERS)}
 f             fold: leave out the workers of convoys

 RATE          messages that ended, a second, over the last 10 s
 TREND         the same, second by second
 P50 P95 P99   of how long handlers took, over the last {LATENCY_WINDOW / 60:.0f} minutes
 WAIT          p95 of how long messages waited, likewise
 CPU           percent of one core
 MEMORY        resident: what processes share counts for each of them
"""


def frame(look: Look, view: View, width: int, height: int) -> list[Text]:
    """Exactly ``height`` lines, none wider than ``width`` columns."""
    from rich.text import Text

    lines = list(_head(look, width))
    if view.helping:
        lines += [Text(line) for line in _HELP.strip("\n").splitlines()]
        lines = [*lines[: height - 1], *[Text("")] * max(0, height - 1 - len(lines)), _foot(["any key: back"], width)]
        return [_cut(line, width) for line in lines[-height:]]
    rows = view.rows(look)
    page = max(1, height - len(lines) - 2)
    numbers = view.window(len(rows), page)
    on_screen = rows[numbers.start : numbers.stop]
    layout = lay_out(rows, look, width)
    lines.append(_titles(layout, view, width))
    lines += _rows(on_screen, look, layout)
    lines += [Text("")] * (height - 1 - len(lines))
    lines = [*lines[: height - 1], _foot(_keys(view, numbers, len(rows)), width)]
    return [_cut(line, width) for line in lines[:height]]


def plain(look: Look) -> str:
    """The whole of it as text, for what is no terminal."""
    rows = View().rows(look)
    head = [line.plain.rstrip() for line in _head(look, 0)]
    columns = [Column("NAME"), *(Column(field.title, right=field.right) for field in FIELDS if field.title != "TREND")]
    fields = [field for field in FIELDS if field.title != "TREND"]
    by_field = [cells(field, rows, look) for field in fields]
    names = [escape(branch + row["name"]) for branch, row in rows]
    table = [list(row) for row in zip(names, *by_field, strict=True)]
    return "\n".join([*head, *plain_lines(columns, table)])


# -- the head


def _head(look: Look, width: int) -> Iterator[Text]:
    """What is said of the whole squad. A ``width`` of 0 is for no terminal: as wide as it is, without lines."""
    from rich.text import Text

    snapshot = look.snapshot
    title = Text.assemble((f" {escape(snapshot.squad)}", "bold"), "  ", *_state(look))
    clock = time.strftime("%H:%M:%S", time.localtime(look.at))
    if width:
        title.append(" " * max(1, width - title.cell_len - len(clock) - 1))
        title.append(clock, "dim")
    yield title
    spark = max(8, (width - 60) // 2) if width else 0
    totals = look.totals
    queued, dead = totals.get("queued", 0), totals.get("failed", 0)
    processes = [row for row in snapshot.actors if row["kind"] != "convoy"]
    memory = megabytes(sum(row["memory_bytes"] or 0 for row in processes))
    cores = sum(row["cpu_percent"] or 0.0 for row in processes) / 100
    yield Text.assemble(
        *_figure("Rate", f"{per_second(look.rates.total())}/s", "bold", look.rates.line(), spark),
        *_figure("Queued", f"{queued:,}", "yellow" if queued else "", look.queue_line, spark),
        *_said("Running", f"{totals.get('running', 0):,}", ""),
        *_said("Dead", f"{dead:,}", "bold red" if dead else ""),
    )
    yield Text.assemble(
        *_figure("CPU", f"{look.cpu_percent:.0f}%", _level(look.cpu_percent), look.cpu_line, spark, top=100.0),
        *_figure(
            "Memory", f"{look.memory_percent:.0f}%", _level(look.memory_percent), look.memory_line, spark, top=100.0
        ),
        *_said("Squad", f"{memory}, {cores:.1f} cores", ""),
    )
    for note in (snapshot.note, escape(frozen_line(snapshot.frozen))):
        if note:
            yield Text(f" {note}", style="bold yellow")
    yield Text("")


def _state(look: Look) -> list[tuple[str, str]]:
    snapshot = look.snapshot
    agents = [row for row in snapshot.actors if row["kind"] in ("agent", "worker")]
    well = [row for row in agents if row["state"] in _WELL]
    if not snapshot.live:
        return [("not live", "bold yellow")]
    up = ago(next((row.get("started") for row in snapshot.actors if row["kind"] == "supervisor"), None))
    ready = f"{len(well)} of {len(agents)} agents ready"
    return [(f"up {up}  ", ""), (ready, "green" if len(well) == len(agents) else "bold red")]


def _figure(  # noqa: PLR0913, PLR0917 - all of one figure
    name: str, value: str, style: str, line: Sequence[float], width: int, top: float | None = None
) -> list[tuple[str, str]]:
    """A name, a number and how it has been; without the line where there is no ``width`` for it."""
    if not width:
        return _said(name, value, style)
    long = 4 if len(name) <= 4 else 6
    return [
        (f" {name:<{long}} ", "dim"),
        (f"{value:>7} ", style),
        (sparkline(line, width, top=top), "cyan"),
        ("  ", ""),
    ]


def _said(name: str, value: str, style: str) -> list[tuple[str, str]]:
    return [(f" {name} ", "dim"), (value, style), (" ", "")]


def _level(percent: float) -> str:
    return "bold red" if percent >= 90 else "yellow" if percent >= 70 else ""


# -- the table


def _titles(layout: Layout, view: View, width: int) -> Text:
    from rich.text import Text

    line = Text(style="reverse")
    line.append("NAME".ljust(layout.name))
    for field, wide in layout.fields:
        mine = field.title == view.order.field
        title = field.title + ("▾" if mine else "")
        line.append(" " * layout.gap)
        line.append(title.rjust(wide) if field.right else title.ljust(wide), "bold" if mine else "")
    line.append(" " * max(0, width - line.cell_len))
    return line


def _rows(rows: Sequence[tuple[str, Row]], look: Look, layout: Layout) -> list[Text]:
    from rich.text import Text

    made = []
    for branch, row in rows:
        line = Text(branch, style="dim" if row["state"] == "stopped" else "")
        line.append(escape(row["name"]), "bold" if row["kind"] == "convoy" else "")
        _fit(line, layout.name)
        for field, wide in layout.fields:
            text = escape(field.text(row, look))
            cell = Text(text, style=field.style(text))
            _fit(cell, wide, right=field.right)
            line.append(" " * layout.gap)
            line.append_text(cell)
        made.append(line)
    return made


def _fit(text: Text, width: int, *, right: bool = False) -> None:
    """Make it exactly so wide."""
    if text.cell_len > width:
        text.truncate(width, overflow="ellipsis")
    missing = width - text.cell_len
    if right:
        text.pad_left(missing)
    else:
        text.pad_right(missing)


# -- the foot


def _keys(view: View, numbers: range, count: int) -> list[str]:
    keys = ["q leave", "h help", f"s sort: {view.order.name}", "f unfold" if view.folded else "f fold"]
    if len(numbers) < count:
        keys.append(f"Up/Down {numbers.start + 1}-{numbers.stop} of {count}")
    return keys


def _foot(parts: Sequence[str], width: int) -> Text:
    from rich.text import Text

    line = Text(" " + "   ".join(parts), style="dim")
    line.append(" " * max(0, width - line.cell_len))
    return line


def _cut(line: Text, width: int) -> Text:
    line.no_wrap, line.overflow = True, "crop"
    line.truncate(width, overflow="crop")
    return line
