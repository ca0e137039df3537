"""The squad's metrics as Prometheus reads them, made from the store's cumulative series and the actor tree.

Pure but for the import of ``prometheus_client``, which comes with the first scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from squad import __version__
from squad.actors.gateway.naming import PREFIX, bounds_of, name_of
from squad.metrics import CATALOGUE
from squad.store.metrics.histogram import bound

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from squad.store.metrics import Histogram, Series

Row = Mapping[str, Any]

_LIVE = {"queue_depth", "cpu_percent", "memory_bytes", "convoy_size"}  # of an agent: the tree knows them better
_LABELS = ("agent", "type")


@dataclass(frozen=True, slots=True)
class State:
    """What is known now: ``rows`` of the tree (none: the supervisor is silent), ``depths`` of waiting messages by
    recipient, ``totals`` of messages by status, and the store's ``series``."""

    squad: str
    ready: bool
    rows: Sequence[Row] = ()
    depths: Mapping[str, int] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    series: Sequence[Series] = ()


def text(state: State, accept: str) -> tuple[bytes, str]:
    """The document and its content type, in the format that ``accept`` (a header) asks for."""
    from prometheus_client.exposition import choose_encoder

    class Collector:
        def collect(self) -> Iterator[Metric]:
            return families(state)

    try:
        encode, kind = choose_encoder(accept)
    except (ValueError, TypeError):  # a version that is none
        encode, kind = choose_encoder("")
    return encode(Collector()), kind


def families(state: State) -> Iterator[Metric]:
    yield from _now(state)
    known = {row["name"] for row in state.rows} | {""}
    lasting = [one for one in state.series if _is_shown(one, known)]
    kinds: dict[str, set[str]] = {}
    for one in lasting:
        kinds.setdefault(one.name, set()).add(one.kind)
    taken: set[str] = set()
    lasting.sort(key=lambda one: (one.name, one.kind))
    for (name, _), group in groupby(lasting, key=lambda one: (one.name, one.kind)):
        series = list(group)
        made = _family(series, several=len(kinds[name]) > 1)
        if made.name in taken:  # two names of agents' own come to the same one, such as x_ms and x_seconds
            made = _family(series, several=True)
        if made.name not in taken:
            taken.add(made.name)
            yield made


def _is_shown(series: Series, known: set[str]) -> bool:
    """What was counted stays for good. A reading of an agent that is gone says nothing any more."""
    if series.kind != "gauge" or series.name not in CATALOGUE:
        return True
    return series.name not in _LIVE and series.agent in known


def _family(series: Sequence[Series], *, several: bool) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    first = series[0]
    name = name_of(first.name, first.kind, several=several)
    metric = CATALOGUE.get(first.name)
    meaning = metric.meaning if metric is not None else "Recorded by agents themselves."
    labels = metric.labels if metric is not None else _LABELS
    values = [(tuple(getattr(one, label) for label in labels), one) for one in series]
    if first.kind == "counter":
        counter = CounterMetricFamily(name.family, meaning, labels=labels, unit=name.unit)
        for where, one in values:
            counter.add_metric(where, one.sum * name.factor)
        return counter
    if first.kind == "gauge":
        gauge = GaugeMetricFamily(name.family, meaning, labels=labels, unit=name.unit)
        for where, one in values:
            gauge.add_metric(where, (one.last or 0.0) * name.factor)
        return gauge
    histogram = HistogramMetricFamily(name.family, meaning, labels=labels, unit=name.unit)
    bounds = bounds_of(first.name)
    texts = [f"{bound * name.factor:.12g}" for bound in bounds]
    for where, one in values:
        counts = cumulative(one.buckets, bounds)
        histogram.add_metric(where, [*zip(texts, counts, strict=True), ("+Inf", one.count)], one.sum * name.factor)
    return histogram


def cumulative(histogram: Histogram | None, bounds: Iterable[float]) -> list[int]:
    """How many values are at most each of ``bounds``, which rise, and each of which ends a bucket."""
    places = sorted(histogram.buckets.items()) if histogram is not None else []
    counts = []
    passed = at = 0
    for most in bounds:
        while at < len(places) and bound(places[at][0]) <= most:
            passed += places[at][1]
            at += 1
        counts.append(passed)
    return counts


def _now(state: State) -> Iterator[Metric]:
    """What is read now and not from the store's series."""
    from prometheus_client.metrics_core import GaugeMetricFamily

    def gauge(name: str, meaning: str, values: Iterable[tuple[Sequence[str], float | None]], *labels: str) -> Metric:
        unit = next((unit for unit in ("bytes", "ratio", "seconds") if name.endswith(f"_{unit}")), "")
        made = GaugeMetricFamily(PREFIX + name, meaning, labels=labels, unit=unit)
        for where, value in values:
            if value is not None:
                made.add_metric(where, value)
        return made

    yield gauge(
        "build_info",
        "The version of Squad, and the squad's name.",
        [((__version__, state.squad), 1.0)],
        "version",
        "squad",
    )
    yield gauge("ready", "Whether all that should run does: 1 or 0.", [((), float(state.ready))])
    yield gauge("frozen", "Whether the squad is frozen: 1 or 0.", _frozen(state.rows))
    yield gauge(
        "messages", "Messages that are kept, by status.", [((s,), n) for s, n in sorted(state.totals.items())], "status"
    )
    rows = [row for row in state.rows if row["kind"] != "convoy"]
    convoys = [row for row in state.rows if row["kind"] == "convoy"]
    recipients = [row["name"] for row in state.rows if row["kind"] in ("agent", "convoy")]
    depths = {name: state.depths.get(name, 0) for name in recipients} | dict(state.depths)
    yield gauge(
        "actor_state",
        "1 for the state that each actor is in.",
        [((row["name"], row["kind"], row["state"]), 1.0) for row in state.rows],
        "agent",
        "kind",
        "state",
    )
    yield gauge(
        "queue_depth", CATALOGUE["queue_depth"].meaning, [((name,), n) for name, n in sorted(depths.items())], "agent"
    )
    yield gauge(
        "cpu_ratio",
        "Processor time of an actor's process and all below it; 1 is one core.",
        [((row["name"],), _part(row["cpu_percent"])) for row in rows],
        "agent",
    )
    yield gauge(
        "memory_bytes", "Resident memory, likewise.", [((row["name"],), row["memory_bytes"]) for row in rows], "agent"
    )
    yield gauge(
        "in_hand",
        "Messages that an actor's process holds.",
        [((row["name"],), row["in_hand"]) for row in rows],
        "agent",
    )
    yield gauge(
        "convoy_size", CATALOGUE["convoy_size"].meaning, [((row["name"],), row["size"]) for row in convoys], "agent"
    )


def _frozen(rows: Sequence[Row]) -> list[tuple[Sequence[str], float | None]]:
    return [((), float(row.get("held") is not None)) for row in rows if row["kind"] == "supervisor"]


def _part(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
