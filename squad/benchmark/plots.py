"""Pictures of a benchmark: PNG or SVG, with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from squad.benchmark.document import Document, Measurement
from squad.benchmark.scale import SIZES
from squad.benchmark.targets import Judged, Verdict, judge
from squad.errors import UsageError
from squad.pictures import COLOURS, picture

_VERDICTS = {Verdict.MET: "#4a8c5c", Verdict.ACCEPTABLE: "#e0a526", Verdict.MISSED: "#b8433c"}
_FARTHEST = 100.0  # times better or worse that a bar shows
_ROLES = ("gateway", "storage", "agents", "rest")


class Bars(NamedTuple):
    """One panel of bars in groups. ``series``: label -> the figure at each size."""

    title: str
    unit: str
    series: Mapping[str, str]


_PANELS = (
    Bars(
        "Throughput at full load",
        "messages/s",
        {"one producer": "messages_per_second", "each other": "exchange_per_second"},
    ),
    Bars(
        "Send to handler start at a steady rate: p99, and p50 in white",
        "ms",
        {"from an agent": "agent_p99_ms", "from outside": "outside_p99_ms"},
    ),
    Bars(
        "Work on the store while others work: p99, and p50 in white",
        "ms",
        {
            "list of 100": "list_p99_ms",
            "one message": "show_p99_ms",
            "queue depth": "depth_p99_ms",
            "write": "write_p99_ms",
        },
    ),
    Bars("Memory of the whole squad", "MB (PSS)", {"all processes": "memory_mb"}),
)


def draw(document: Document, other: Document | None, path: Path) -> None:
    """One picture with a panel for each aspect that was measured; ``other`` is drawn as marks beside the bars.

    Raises UsageError when there is nothing in it to draw, SquadError when it cannot be written.
    """
    sizes = [found for found in document.measurements if found.name == SIZES]
    panels = [panel for panel in _PANELS if any(f in found.figures for found in sizes for f in panel.series.values())]
    costs = [found for found in document.measurements if "cpu_us" in found.figures]
    judged = [found for found in judge(document) if found.value is not None]
    count = len(panels) + bool(costs) + bool(judged)
    if not count:
        raise UsageError("there is nothing in it to draw", hint="squad benchmark run --output FILE measures everything")
    with picture(path, count, _heading(document, other)) as places:
        for panel in panels:
            _bars(places.pop(0), panel, sizes, other)
        if costs:
            _costs(places.pop(0), costs)
        if judged:
            _targets(places.pop(0), judged)


def _heading(document: Document, other: Document | None) -> str:
    machine = document.machine
    text = f"Squad {document.versions.get('squad')}, {document.at}: {machine.get('cores')} cores, {machine.get('cpu')}"
    return f"{text}, synchronous={document.settings.get('synchronous')}" + (
        f"\ndiamonds: {other.at}, {other.machine.get('cores')} cores, {other.machine.get('cpu')}" if other else ""
    )


def _bars(axes: Any, panel: Bars, sizes: Sequence[Measurement], other: Document | None) -> None:
    """A group for each size, a bar for each series; lowest and highest as a thin line when repeated."""
    theirs = {(found.name, found.agents, found.operations): found for found in other.measurements} if other else {}
    width = 0.8 / len(panel.series)
    for number, (label, figure) in enumerate(panel.series.items()):
        at = [place - 0.4 + width * (number + 0.5) for place in range(len(sizes))]
        values = [found.median(figure) if figure in found.figures else 0.0 for found in sizes]
        spread = [_spread(found, figure) for found in sizes]
        axes.bar(
            at,
            values,
            width * 0.92,
            label=label,
            color=COLOURS[number],
            yerr=list(zip(*spread, strict=True)),
            ecolor="#444",
        )
        middle = figure.replace("_p99_", "_p50_")
        for place, found in zip(at, sizes, strict=True):
            if middle != figure and middle in found.figures:
                axes.hlines(
                    found.median(middle), place - width * 0.4, place + width * 0.4, color="white", linewidth=1.5
                )
            there = theirs.get((found.name, found.agents, found.operations))
            if there is not None and figure in there.figures:
                axes.plot(place, there.median(figure), marker="D", color="black", markersize=4, linestyle="none")
    axes.set_xticks(range(len(sizes)), [f"{found.agents} x {found.operations}" for found in sizes])
    axes.set_xlabel("agents x operations")
    axes.set_ylabel(panel.unit)
    axes.set_title(panel.title, loc="left", fontsize=11)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    if len(panel.series) > 1:
        axes.legend(frameon=False, fontsize=9)


def _spread(found: Measurement, figure: str) -> tuple[float, float]:
    """How far lowest and highest are from the median."""
    if figure not in found.figures:
        return 0.0, 0.0
    values, median = found.figures[figure], found.median(figure)
    return median - min(values), max(values) - median


def _costs(axes: Any, costs: Sequence[Measurement]) -> None:
    """Processor time for each message, by who uses it."""
    names = [f"{found.name}\n{found.agents} agents" for found in costs]
    below = [0.0] * len(costs)
    for number, role in enumerate(_ROLES):
        values = [_cost(found, role) for found in costs]
        axes.bar(names, values, 0.5, bottom=below, label=role, color=COLOURS[number])
        below = [base + value for base, value in zip(below, values, strict=True)]
    for number, total in enumerate(below):
        axes.text(number, total, f"{total:.0f}", ha="center", va="bottom", fontsize=9)
    axes.set_xlim(-0.6, len(costs) - 0.4)
    axes.set_ylabel("µs for each message")
    axes.set_title("Processor time of a message", loc="left", fontsize=11)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.margins(y=0.12)
    axes.legend(frameon=False, fontsize=9, loc="upper center", ncols=4)
    axes.set_ylim(top=max(below) * 1.25)


def _cost(found: Measurement, role: str) -> float:
    known = {name: found.median(f"{name}_cpu_us") for name in _ROLES if f"{name}_cpu_us" in found.figures}
    return max(0.0, found.median("cpu_us") - sum(known.values())) if role == "rest" else known.get(role, 0.0)


def _targets(axes: Any, judged: Sequence[Judged]) -> None:
    """How many times better than its target each figure is: to the right of 1 is met."""
    shown = list(reversed(judged))
    times = [_times(found) for found in shown]
    places = range(len(shown))
    drawn = [min(_FARTHEST, max(1 / _FARTHEST, ratio)) - 1 for ratio in times]
    axes.barh(places, drawn, 0.7, left=1, color=[_VERDICTS[found.verdict] for found in shown])
    for place, ratio, width in zip(places, times, drawn, strict=True):
        said = f">{_FARTHEST:g}" if ratio > _FARTHEST else f"{ratio:.2g}"
        beside = {"ha": "left", "x": 1 + width} if width >= 0 else {"ha": "left", "x": 1}
        axes.text(y=place, s=f" {said}", va="center", fontsize=8, **beside)
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, *(0.8 * (1 + width) for width in drawn)), _FARTHEST * 2.5)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(places, [found.target.what for found in shown], fontsize=8)
    axes.axvline(1, color="#444", linewidth=0.8)
    axes.set_xlabel("times better than the target")
    axes.set_title("Against the targets", loc="left", fontsize=11)
    verdicts = [verdict for verdict in _VERDICTS if any(found.verdict == verdict for found in shown)]
    handles = [axes.barh([0], [0], color=_VERDICTS[verdict], label=str(verdict)) for verdict in verdicts]
    axes.legend(handles=handles, frameon=False, fontsize=9, loc="lower right")


def _times(found: Judged) -> float:
    value = found.value or 0.0
    if found.target.unit.more_is_better:
        return value / found.target.target
    return found.target.target / value if value else 2 * _FARTHEST
