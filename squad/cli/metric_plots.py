"""The pictures of ``squad metrics --plot``."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squad.cli.figures import milliseconds
from squad.errors import UsageError
from squad.metrics import CATALOGUE

if TYPE_CHECKING:
    from peewee import Database

    from squad.store.metrics import Series, Summary

_POINTS = 240  # steps of a line
_MOST_LINES = 5  # of one panel: of the agents that have most; one more for the others, as there are colours for

Line = list[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class _Panel:
    """``lines``: label -> line; ``filled`` ones are drawn as an area each, on top of one another."""

    title: str
    unit: str
    lines: dict[str, Line]
    filled: bool = False
    steps: bool = False


def draw(  # noqa: PLR0913, PLR0917 - all that was asked for
    database: Database, known: Sequence[Series], names: Sequence[str], since: float, until: float, path: Path
) -> None:
    """One picture with a panel for each of the metrics ``names``, or the usual four.

    Of the series in ``known``. Raises UsageError when there is nothing to draw, SquadError as ``pictures``.
    """
    from squad.pictures import picture

    source = _Source(database, known, since, until)
    panels = [source.metric(name) for name in names] if names else source.usual()
    panels = [panel for panel in panels if any(value is not None for line in panel.lines.values() for _, value in line)]
    if not panels:
        raise UsageError(
            "nothing was measured in that time", hint="squad metrics --window 7d --plot FILE goes back farther"
        )
    form = "%Y-%m-%d %H:%M"
    heading = f"{time.strftime(form, time.localtime(since))} to {time.strftime(form, time.localtime(until))}"
    with picture(path, len(panels), heading, most_columns=2) as places:
        for place, panel in zip(places, panels, strict=True):
            _draw(place, panel, since, until)


class _Source:
    """The lines of some series over a time."""

    def __init__(self, database: Database, known: Sequence[Series], since: float, until: float) -> None:
        self._database = database
        self._known = known
        self._since, self._until = since, until

    def usual(self) -> list[_Panel]:
        """Throughput, latency, queue depth, and the size of convoys."""
        agents = {series.agent for series in self._known}
        latency: dict[str, Line] = {}
        for name, said in (("handling_ms", "handling"), ("waiting_ms", "waiting")):
            for q in (0.5, 0.95, 0.99) if name == "handling_ms" else (0.95,):
                latency[f"{said} p{q * 100:.0f}"] = self._line(name, _percentile(q), agents)
        return [
            _Panel("Throughput", "messages/s", self._by_agent("completed", _rate, others=True), filled=True),
            _Panel("Latency", "milliseconds", latency),
            _Panel("Queue depth", "messages", self._by_agent("queue_depth", _mean)),
            _Panel("Convoy size", "workers", self._by_agent("convoy_size", _most), steps=True),
        ]

    def metric(self, name: str) -> _Panel:
        """One metric, by agent where it has any."""
        kinds = {series.kind for series in self._known if series.name == name}
        about = CATALOGUE.get(name)
        unit = about.unit if about else ""
        if "counter" in kinds:
            return _Panel(name, f"{unit or 'units'}/s", self._by_agent(name, _rate, others=True), filled=True)
        if "histogram" in kinds:
            return _Panel(f"{name}, p95", unit, self._by_agent(name, _percentile(0.95)))
        return _Panel(name, unit, self._by_agent(name, _mean))

    def _by_agent(self, name: str, value: Callable[[Summary], float | None], others: bool = False) -> dict[str, Line]:
        """A line for each agent that had most of it; with ``others`` one more for all the rest together."""
        from squad.store import metrics

        agents = {series.agent for series in self._known if series.name == name}
        found = metrics.window(self._database, name, self._since, self._until, by="agent")
        most = {agent: summary.most or summary.sum for agent, summary in found.items() if agent in agents}
        chosen = sorted(sorted(most, key=lambda agent: -most[agent])[:_MOST_LINES])
        lines = {agent or name: self._line(name, value, {agent}) for agent in chosen}
        if others and len(chosen) < len(most):
            total = [(at, step or 0.0) for at, step in self._line(name, value, agents)]
            told = [sum(line[n][1] or 0.0 for line in lines.values()) for n in range(len(total))]
            lines["others"] = [(at, max(0.0, step - known)) for (at, step), known in zip(total, told, strict=True)]
        return lines

    def _line(self, name: str, value: Callable[[Summary], float | None], agents: set[str]) -> Line:
        from squad.store import metrics

        only = {"agent": next(iter(agents))} if len(agents) == 1 else {}
        found = metrics.line(self._database, name, self._since, self._until, **only, points=_POINTS)
        return [(at + step.seconds / 2, value(step)) for at, step in found]


def _rate(summary: Summary) -> float | None:
    return summary.per_second


def _mean(summary: Summary) -> float | None:
    return summary.mean


def _most(summary: Summary) -> float | None:
    return summary.most


def _percentile(q: float) -> Callable[[Summary], float | None]:
    return lambda summary: summary.percentile(q)


def _draw(axes: Any, panel: _Panel, since: float, until: float) -> None:
    from matplotlib import ticker

    from squad.pictures import COLOURS

    base: list[float] | None = None
    for number, (label, line) in enumerate(panel.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        at = [datetime.fromtimestamp(moment).astimezone() for moment, _ in line]
        values = [math.nan if value is None else value for _, value in line]
        if panel.filled:
            lower = base or [0.0] * len(values)
            base = [below + (0.0 if math.isnan(value) else value) for below, value in zip(lower, values, strict=True)]
            axes.fill_between(at, lower, base, color=colour, alpha=0.75, linewidth=0, label=label)
        else:
            marked = {"marker": "o", "markersize": 2.5} if sum(not math.isnan(value) for value in values) < 40 else {}
            style = "steps-mid" if panel.steps else "default"
            axes.plot(at, values, color=colour, linewidth=1.4, drawstyle=style, label=label, **marked)
    _time_axis(axes, since, until)
    known = [value for line in panel.lines.values() for _, value in line if value is not None]
    if panel.unit == "milliseconds" and _is_wide(panel):
        axes.set_yscale("log")
    elif min(known) >= 0:  # agents' own may be below
        axes.set_ylim(bottom=0)
    if panel.unit in ("messages", "workers"):
        axes.yaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    if panel.unit == "bytes":
        axes.yaxis.set_major_formatter(ticker.EngFormatter(unit="B"))
    elif panel.unit == "milliseconds":
        axes.yaxis.set_major_formatter(lambda value, _: milliseconds(value))
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    else:
        axes.yaxis.set_major_formatter("{x:,g}")
    if panel.unit != "milliseconds":  # the figures say it
        axes.set_ylabel(panel.unit)
    axes.set_title(panel.title, loc="left", fontsize=11)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    if len(panel.lines) > 1 or panel.title != next(iter(panel.lines)):
        low, high = axes.get_ylim()
        more = high * (high / low) ** 0.35 if axes.get_yscale() == "log" else high + 0.3 * (high - low)
        axes.set_ylim(low, more)  # room for it
        axes.legend(frameon=False, fontsize=9, loc="upper left", ncols=3)


def _time_axis(axes: Any, since: float, until: float) -> None:
    """In the time zone of this machine. The dates are in the heading."""
    from matplotlib import dates

    kit: Any = dates  # it has no types
    zone = datetime.fromtimestamp(until).astimezone().tzinfo
    axes.set_xlim(datetime.fromtimestamp(since, zone), datetime.fromtimestamp(until, zone))
    locator = kit.AutoDateLocator(tz=zone, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(kit.ConciseDateFormatter(locator, tz=zone, show_offset=False))


def _is_wide(panel: _Panel) -> bool:
    """Whether its values differ so much that only a logarithmic axis shows the small ones."""
    known = [value for line in panel.lines.values() for _, value in line if value]
    return bool(known) and min(known) > 0 and max(known) > 30 * min(known)
