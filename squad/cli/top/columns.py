"""The columns of ``squad top``: what each says of an actor, and which of them fit on the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from squad.cli.ages import ago, seconds_since, short
from squad.cli.documents import first_line
from squad.cli.figures import megabytes, milliseconds, per_second
from squad.cli.output import state_style
from squad.cli.snapshot import Row
from squad.cli.sparkline import sparkline
from squad.cli.top.readings import Latency, Look, Percentiles
from squad.terminal import escape

TREND = 20  # looks that the line of an agent's rate has
_SHORTEST_NAME = 16
_LONGEST_NAME = 32
_SHORTEST_END = 12  # columns of the terminal that the last field needs


@dataclass(frozen=True, slots=True)
class Field:
    """``rank``: those with a high one are left out first where there is little room.

    ``fills``: it takes what room is left, and its text may be cut.
    """

    title: str
    text: Callable[[Row, Look], str]
    rank: int
    right: bool = True
    style: Callable[[str], str] = lambda _: ""
    fills: bool = False


def _latency(choose: Callable[[Latency], Percentiles | None], name: str) -> Callable[[Row, Look], str]:
    def text(row: Row, look: Look) -> str:
        latency = look.latencies.get(row["name"]) if row["kind"] in ("agent", "convoy") else None
        found = choose(latency) if latency else None
        return milliseconds(getattr(found, name)) if found else ""

    return text


def _state(row: Row, _: Look) -> str:
    held = row.get("held")
    return str(held["kind"] if held and row["state"] not in ("quarantined", "stopped") else row["state"])


def _cpu(row: Row, _: Look) -> str:
    percent = row.get("cpu_percent")
    return "" if percent is None else f"{percent:.0f}%"


def _count(key: str) -> Callable[[Row, Look], str]:
    return lambda row, _: "" if row.get(key) is None else f"{row[key]:,}"


def _trend(row: Row, look: Look) -> str:
    return sparkline(look.rates.line(row["name"], TREND), TREND) if row["kind"] in ("agent", "convoy", "worker") else ""


def _current(row: Row, _: Look) -> str:
    """The message in hand; of a convoy its size, the one it is to have, and the bounds: ``size 3/4 (2-8)``."""
    if row["kind"] == "convoy":
        size, target = row.get("size"), row.get("target")
        return f"size {size}{'' if size == target else f'/{target}'} ({row.get('min')}-{row.get('max')})"
    current = row.get("current")
    return f"{current['type']} {short(seconds_since(current.get('since')))}" if current else ""


def _busy(cell: str) -> str:
    percent = float(cell.rstrip("%") or 0)
    return "bold red" if percent >= 90 else "yellow" if percent >= 50 else ""


def _some(style: str) -> Callable[[str], str]:
    return lambda cell: style if cell not in ("", "0") else "dim"


FIELDS = (
    Field(
        "STATE",
        _state,
        0,
        right=False,
        style=lambda cell: "bold yellow" if cell in ("paused", "frozen") else state_style(cell),
    ),
    Field("CPU", _cpu, 1, style=_busy),
    Field("MEMORY", lambda row, _: megabytes(row.get("memory_bytes")), 3),
    Field("QUEUE", _count("queue_depth"), 1, style=_some("yellow")),
    Field("RATE", lambda row, look: per_second(look.rate(row)), 1, style=_some("bold")),
    Field("P50", _latency(lambda latency: latency.handling, "p50"), 5),
    Field("P95", _latency(lambda latency: latency.handling, "p95"), 2),
    Field("P99", _latency(lambda latency: latency.handling, "p99"), 6),
    Field("WAIT", _latency(lambda latency: latency.waiting, "p95"), 2),
    Field("RST", _count("restarts"), 8, style=_some("yellow")),
    Field("UP", lambda row, _: ago(row.get("started")), 9),
    Field("TREND", _trend, 7, right=False, style=lambda _: "cyan"),
    Field("CURRENT", _current, 4, right=False, fills=True),
    Field(
        "LAST ERROR",
        lambda row, _: first_line(row.get("last_error")),
        10,
        right=False,
        style=lambda _: "red",
        fills=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which fields are shown and how wide each is; the name's width comes first."""

    name: int
    fields: list[tuple[Field, int]]
    gap: int


def cells(field: Field, rows: Sequence[tuple[str, Row]], look: Look) -> list[str]:
    return [escape(field.text(row, look)) for _, row in rows]


def lay_out(rows: Sequence[tuple[str, Row]], look: Look, width: int) -> Layout:
    """The fields that fit beside the names, those of a low rank first. All rows count, not only those on the screen:
    so nothing moves when it is scrolled."""
    from rich.cells import cell_len

    longest = max((cell_len(branch + row["name"]) for branch, row in rows), default=0)
    name = min(longest, _LONGEST_NAME if width >= 120 else _SHORTEST_NAME + max(0, width - 76) // 2)
    name = max(name, len("NAME"))
    gap = 2 if width >= 100 else 1
    wide: dict[str, int] = {}
    room = width - name
    for field in sorted(FIELDS, key=lambda field: field.rank):
        texts = cells(field, rows, look)
        if field.fills and not any(texts):
            continue
        needed = _SHORTEST_END if field.fills else max(len(field.title) + 1, *map(cell_len, texts), 0)
        if needed + gap <= room:
            wide[field.title] = needed
            room -= needed + gap
    filling = [field for field in FIELDS if field.fills and field.title in wide]
    for field in filling:  # they share what is left
        wanted = max(map(cell_len, cells(field, rows, look)))
        share = room if field is filling[-1] else min(room, max(0, wanted - wide[field.title]), room // 2 + room % 2)
        wide[field.title] += share
        room -= share
    return Layout(name, [(field, wide[field.title]) for field in FIELDS if field.title in wide], gap)
