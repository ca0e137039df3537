"""The charts' data: lines over time, read from the metrics in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from squad.durations import parse_duration
from squad.errors import UsageError

if TYPE_CHECKING:
    from peewee import Database

    from squad.store.metrics import Summary
    from squad.web.gate import Gate

SPANS = {"1h": 60, "3h": 90, "12h": 72, "1d": 96, "7d": 84, "30d": 90}
"""How far back a chart may go, and how many points it then has."""

_SHORTEST = 600.0  # seconds that a chart shows of a squad which was made just now
_YOUNG = 30.0  # seconds that the last step must be old to be drawn: what was counted comes some seconds late
_MOST_LINES = 6  # agents in one chart: those that have the most

Unit = Literal["per minute", "messages", "ms", "bytes", "percent", "workers", "s"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a metric, what it is called, and which number of each step it shows."""

    metric: str
    label: str
    value: Callable[[Summary], float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """``each``: one line for each of the agents that have the most, unless one is asked for."""

    unit: Unit
    lines: tuple[Line, ...]
    each: bool = False


def _per_minute(summary: Summary) -> float | None:
    per_second = summary.per_second
    return None if per_second is None else per_second * 60


def _at(q: float) -> Callable[[Summary], float | None]:
    return lambda summary: summary.percentile(q)


def _most(summary: Summary) -> float | None:
    return summary.most


def _depth(summary: Summary) -> float:
    """Of who has nothing waiting nothing is recorded."""
    return summary.most or 0.0


def _percentiles(metric: str) -> tuple[Line, ...]:
    return tuple(Line(metric, f"p{round(q * 100)}", _at(q)) for q in (0.5, 0.95, 0.99))


CHARTS: Mapping[str, Chart] = {
    "throughput": Chart(
        "per minute",
        (
            Line("queued", "arrived", _per_minute),
            Line("completed", "completed", _per_minute),
            Line("failed", "failed", _per_minute),
        ),
    ),
    "depth": Chart("messages", (Line("queue_depth", "waiting", _depth),), each=True),
    "handling": Chart("ms", _percentiles("handling_ms")),
    "waiting": Chart("ms", _percentiles("waiting_ms")),
    "commit": Chart("ms", _percentiles("commit_ms")),
    "cpu": Chart("percent", (Line("cpu_percent", "CPU", _most),), each=True),
    "memory": Chart("bytes", (Line("memory_bytes", "memory", _most),), each=True),
    "size": Chart("workers", (Line("convoy_size", "workers", lambda summary: summary.last),)),
    "machine": Chart(
        "percent", (Line("machine_cpu_percent", "CPU", _most), Line("machine_memory_percent", "memory", _most))
    ),
    "available": Chart("bytes", (Line("machine_available_bytes", "available", lambda summary: summary.least),)),
    "throttle": Chart("s", (Line("throttle_seconds", "pause", _most),)),
}


def series(gate: Gate, query: Mapping[str, str]) -> dict[str, Any]:
    """``{"unit", "since", "until", "x": [seconds since the epoch], "lines": [{"label", "y": [number or null]}]}`` of
    the chart, agent, type and span that are asked for. Blocks.

    Raises UsageError for a chart or a span that there is not, and StoreError.
    """
    chart = CHARTS.get(query.get("chart", ""))
    if chart is None:
        raise UsageError(f"there is no such chart; there are: {', '.join(CHARTS)}")
    span = query.get("span", "3h")
    if span not in SPANS:
        raise UsageError(f"span must be one of {', '.join(SPANS)}")
    until = gate.clock.time()
    agent, kind = query.get("agent") or None, query.get("type") or None
    with gate.pool.connection() as database:
        since = min(max(until - parse_duration(span), _made_at(database)), until - _SHORTEST)
        asked = _Asked(database, since, until, kind, SPANS[span])
        found = asked.most(chart.lines[0]) if chart.each and agent is None else asked.lines(chart.lines, agent)
    times = found[0][1] if found else []
    return {
        "unit": chart.unit,
        "since": since,
        "until": until,
        "x": times,
        "lines": [{"label": label, "y": values} for label, _, values in found],
    }


def _made_at(database: Database) -> float:
    """When the store was made, in seconds since the epoch: before that there is nothing to show."""
    row = database.execute_sql("SELECT MIN(applied_at) FROM schema_version").fetchone()  # type: ignore[no-untyped-call]
    return datetime.fromisoformat(row[0]).timestamp()


@dataclass(frozen=True, slots=True)
class _Asked:
    database: Database
    since: float
    until: float
    type: str | None
    points: int

    def lines(self, wanted: tuple[Line, ...], agent: str | None) -> list[tuple[str, list[float], list[float | None]]]:
        """Each with its label, the beginnings of its steps, and its values. A metric is read once."""
        from squad.store import metrics

        read: dict[str, list[tuple[float, Summary]]] = {}
        found = []
        for one in wanted:
            if one.metric not in read:
                read[one.metric] = metrics.line(
                    self.database, one.metric, self.since, self.until, agent=agent, type=self.type, points=self.points
                )
            steps = [(at, step) for at, step in read[one.metric] if at <= self.until - _YOUNG]
            found.append((one.label, [at for at, _ in steps], [_round(one.value(step)) for _, step in steps]))
        return _same_steps(found)

    def most(self, wanted: Line) -> list[tuple[str, list[float], list[float | None]]]:
        """Those agents that had the most of it."""
        from squad.store import metrics

        summaries = metrics.window(self.database, wanted.metric, self.since, self.until, by="agent")
        ranked = sorted(summaries, key=lambda agent: (-(summaries[agent].most or 0.0), agent))[:_MOST_LINES]
        found = []
        for agent in ranked:
            ((_, times, values),) = self.lines((wanted,), agent)
            found.append((agent or "squad", times, values))
        return _same_steps(found)


def _same_steps(
    lines: list[tuple[str, list[float], list[float | None]]],
) -> list[tuple[str, list[float], list[float | None]]]:
    """On the times of the first: a metric that has nothing yet has steps of another length."""
    if not lines:
        return []
    times = max(
        (times for _, times, values in lines if any(value is not None for value in values)),
        key=len,
        default=lines[0][1],
    )
    return [
        (label, times, values if own == times else [dict(zip(own, values, strict=True)).get(at) for at in times])
        for label, own, values in lines
    ]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
