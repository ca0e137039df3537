"""What was measured in a window: what ``squad metrics`` prints, and ``/v1/metrics`` answers (see docs/json.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from squad.errors import Problem, UsageError
from squad.messages import did_you_mean
from squad.metrics import CATALOGUE, Kind
from squad.store.metrics.reading import Series, known, line, window
from squad.store.metrics.summary import Summary
from squad.store.spread import percentiles, rounded
from squad.store.times import iso

if TYPE_CHECKING:
    from peewee import Database

By = Literal["agent", "type"]

WINDOW = 3600.0
"""Seconds looked back on unless something else is said."""

_POINTS = 61  # steps of a line: an hour touches so many minutes


@dataclass(frozen=True, slots=True)
class Row:
    """One metric, of one agent or type or of all (``label`` None).

    ``mixed``: of several agents, so that the last of their readings would be anybody's. ``line``: its steps, each with
    when it begins (seconds since the epoch).
    """

    name: str
    kind: Kind
    label: tuple[By, str] | None
    mixed: bool
    summary: Summary
    line: list[tuple[float, Summary]]

    @property
    def unit(self) -> str:
        """ "" for an agent's own."""
        return CATALOGUE[self.name].unit if self.name in CATALOGUE else ""

    @property
    def last(self) -> float | None:
        return None if self.mixed else self.summary.last

    def values(self) -> list[tuple[float, float | None]]:
        """What each step of the line is: of a counter how much it grew a second, of a gauge the mean, else p95."""
        return [(at, self._value(step)) for at, step in self.line]

    def document(self) -> dict[str, Any]:
        summary, kind = self.summary, self.kind
        label, value = self.label or ("agent", None)
        return {
            "name": self.name,
            "kind": kind,
            "unit": self.unit or None,
            "agent": value if label == "agent" else None,
            "type": value if label == "type" else None,
            "seconds": rounded(summary.seconds),
            "count": summary.count,
            "sum": rounded(summary.sum),
            "per_second": rounded(summary.per_second) if kind == "counter" else None,
            "mean": None if kind == "counter" else rounded(summary.mean),
            "least": rounded(summary.least),
            "most": rounded(summary.most),
            "last": rounded(self.last) if kind == "gauge" else None,
            **percentiles(summary if kind == "histogram" else None),
            "points": [{"at": iso(at), "value": rounded(value)} for at, value in self.values()],
        }

    def _value(self, step: Summary) -> float | None:
        if self.kind == "counter":
            return step.per_second
        return step.mean if self.kind == "gauge" else step.percentile(0.95)


@dataclass(frozen=True, slots=True)
class Report:
    """``since`` and ``until`` are seconds since the epoch."""

    since: float
    until: float
    rows: list[Row]

    def document(self) -> dict[str, Any]:
        return {
            "since": iso(self.since),
            "until": iso(self.until),
            "metrics": [row.document() for row in self.rows],
        }


def read(  # noqa: PLR0913 - all that can be asked for
    database: Database,
    names: Sequence[str],
    since: float,
    until: float,
    *,
    agent: str | None = None,
    by: By | None = None,
) -> Report:
    """A row for each metric; of ``names`` only those, each with a row for every agent unless something else is said.

    Raises UsageError as ``series`` does.
    """
    with database.atomic():
        found = series(database, names, agent)
        of = {one.name: one for one in found if agent in (None, one.agent)}
        group: By | None = by or ("agent" if names and agent is None else None)
        rows: list[Row] = []
        for name in dict.fromkeys(names) or sorted(of):
            if name not in of:  # nothing was ever recorded of it
                continue
            mixed = group != "agent" and agent is None and len({one.agent for one in found if one.name == name}) > 1
            for key, summary in sorted(window(database, name, since, until, agent=agent, by=group).items()):
                only: dict[str, Any] = ({} if agent is None else {"agent": agent}) | ({group: key} if group else {})
                steps = line(database, name, since, until, **only, points=_POINTS)
                label: tuple[By, str] | None = (group, key) if group is not None and key else None
                label = label or (("agent", agent) if agent else None)
                rows.append(Row(name, of[name].kind, label, mixed, summary, steps))
    return Report(since, until, rows)


def series(database: Database, names: Sequence[str], agent: str | None) -> list[Series]:
    """All that there are. Raises UsageError for metrics among ``names``, and for an agent, that there are not."""
    found = known(database)
    metrics = sorted({*CATALOGUE, *(one.name for one in found)})
    problems = [
        Problem("", f"there is no metric {name!r}", did_you_mean(name, metrics) or "`squad metrics` shows all of them")
        for name in names
        if name not in metrics
    ]
    agents = sorted({one.agent for one in found if one.agent})
    if agent is not None and agent not in agents:
        hint = did_you_mean(agent, agents) or f"there is something of: {', '.join(agents) or 'none'}"
        problems.append(Problem("", f"nothing was measured of an agent {agent!r}", hint))
    if len(problems) == 1:
        raise UsageError(problems[0].what, hint=problems[0].hint)
    if problems:
        raise UsageError("what is asked for is not there", hint="squad metrics", problems=problems)
    return found
