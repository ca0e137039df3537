"""What a configuration says of alerts that fits nothing else in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

from squad.alerts import BUILT_IN
from squad.config.alerts import EACH, Of
from squad.config.readable import readable_duration
from squad.config.sinks import PREFIX
from squad.durations import parse_duration
from squad.messages import did_you_mean
from squad.metrics import CATALOGUE, Kind

Stray = tuple[tuple[str | int, ...], str, str]
"""(place below ``alerts``, what is wrong, hint)."""

_KEPT = "30d"  # metrics, unless the file says otherwise

FITTING: dict[Kind, tuple[Of, ...]] = {
    "counter": ("sum", "rate"),
    "gauge": ("mean", "max", "min", "last"),
    "histogram": ("p50", "p90", "p95", "p99", "mean", "max", "min", "sum", "count", "rate"),
}
"""What can be made of a metric of each kind."""


def strays(alerts: Any, recipients: Collection[str], metrics: Any = None) -> list[Stray]:
    """``alerts`` and ``metrics`` are those sections as they are written: what has the wrong shape is not looked at."""
    if not isinstance(alerts, Mapping):
        return []
    rules, sinks = _mapping(alerts, "rules"), _mapping(alerts, "sinks")
    known = [*BUILT_IN, *rules]
    found: list[Stray] = []
    found += _unknown_rules(alerts, (), "disabled", known)
    for key in ("p95_window", "failure_window"):
        found += _too_long(alerts, key, metrics)
    for name, own in _mapping(alerts, "agents").items():
        if name not in recipients:
            found.append((("agents", name), f"there is no agent or convoy {name!r}", did_you_mean(name, recipients)))
        found += _unknown_rules(own, ("agents", name), "disabled", known)
    for name, rule in rules.items():
        if name in BUILT_IN:
            what = f"the rule {name!r} is Squad's own"
            found.append((("rules", name), what, "its thresholds are keys of alerts; choose another name"))
        found += [((*("rules", name), *at), what, hint) for at, what, hint in _of_rule(rule, recipients, metrics)]
    for name, sink in sinks.items():
        found += _unknown_rules(sink, ("sinks", name), "rules", known)
        if f"{PREFIX}{name}" in recipients:
            what = f"{PREFIX}{name} is the name of an agent"
            found.append((("sinks", name), what, f"call the agent or the sink otherwise: its own is {PREFIX}{name}"))
        told = sink.get("agent") if isinstance(sink, Mapping) else None
        if isinstance(told, str) and told not in recipients:
            what = f"there is no agent or convoy {told!r}"
            found.append((("sinks", name, "agent"), what, did_you_mean(told, recipients)))
    return found


def _mapping(section: Any, key: str) -> Mapping[str, Any]:
    value = section.get(key) if isinstance(section, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _unknown_rules(section: Any, at: tuple[str, ...], key: str, known: Collection[str]) -> Iterator[Stray]:
    named = section.get(key) if isinstance(section, Mapping) else None
    for number, name in enumerate(named if isinstance(named, list | tuple) else ()):
        if isinstance(name, str) and name not in known:
            yield (*at, key, number), f"there is no rule {name!r}", did_you_mean(name, known) or _listed(known)


def _of_rule(rule: Any, recipients: Collection[str], metrics: Any) -> Iterator[Stray]:
    if not isinstance(rule, Mapping):
        return
    yield from _too_long(rule, "window", metrics)
    agent = rule.get("agent")
    if isinstance(agent, str) and agent != EACH and agent not in recipients:
        yield ("agent",), f"there is no agent or convoy {agent!r}", did_you_mean(agent, recipients)
    metric = rule.get("metric")
    if not isinstance(metric, str):
        return
    known = CATALOGUE.get(metric)
    if rule.get("own"):
        if known is not None:
            yield ("own",), f"{metric!r} is a metric of Squad's", "remove own"
        return
    if known is None:
        near = did_you_mean(metric, CATALOGUE)
        yield ("metric",), f"there is no metric {metric!r}", near or "if your agents record it, add own: true"
        return
    of = rule.get("of", "mean")
    if of in get_args(Of) and of not in FITTING[known.kind]:
        at = ("of",) if "of" in rule else ("metric",)
        yield at, f"{metric!r} is a {known.kind}, which has no {of}", f"write of: {', '.join(FITTING[known.kind])}"
    elif of == "last" and agent is None and "agent" in known.labels:
        yield ("metric",), f"{metric!r} is kept for each agent", "add agent: NAME, or agent: '*' for each by itself"
    for label, key in (("agent", "agent"), ("type", "type")):
        if rule.get(key) is not None and label not in known.labels:
            yield (key,), f"{metric!r} is not kept by {label}", "remove it"


def _too_long(section: Mapping[str, Any], key: str, metrics: Any) -> Iterator[Stray]:
    """A window that begins before what is kept."""
    kept = metrics.get("keep", _KEPT) if isinstance(metrics, Mapping) else _KEPT
    if _seconds(section.get(key)) > (most := _seconds(kept)) > 0:
        yield (key,), f"metrics are kept for {readable_duration(most)}", "make it shorter, or raise metrics.keep"


def _seconds(value: Any) -> float:
    """0 for what is no duration, which is said elsewhere."""
    try:
        return parse_duration(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _listed(names: Collection[str]) -> str:
    return f"there are {', '.join(names)}"
