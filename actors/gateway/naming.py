"""Squad's metrics under the names that Prometheus expects: a prefix, base units, and ``_total`` for what only grows.

See https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from dataclasses import dataclass

from squad.metrics import CATALOGUE, Kind

PREFIX = "squad_"
OWN = "squad_own_"
"""Of what agents record themselves, so that no name of theirs is taken for one of Squad's."""

_UNITS = {"_ms": ("_seconds", 1e-3), "_percent": ("_ratio", 1e-2)}
_RESERVED = ("_total", "_bucket", "_count", "_sum", "_created", "_info")  # what the formats append themselves
TIMES = tuple(2.0**power for power in (0, 2, *range(4, 15), 16, 18, 20, 22))
"""Upper bounds of buckets, milliseconds: 1 ms to 70 min, closest from 16 ms to 16 s. The store's buckets end at powers
of two, so these are exact."""
VALUES = tuple(2.0**power for power in range(-10, 41, 2))
"""Likewise of own histograms whose unit is not known."""


@dataclass(frozen=True, slots=True)
class Name:
    """``family`` is without ``_total``; a value of Squad's times ``factor`` is one of Prometheus'."""

    family: str
    factor: float
    unit: str


def name_of(name: str, kind: Kind, *, several: bool = False) -> Name:
    """``several``: agents use this name for metrics of different kinds, which must not share a family."""
    metric = CATALOGUE.get(name)
    family = (PREFIX if metric is not None else OWN) + name
    factor, unit = 1.0, ""
    for suffix, (base, by) in _UNITS.items():
        if name.endswith(suffix):
            family, factor, unit = family.removesuffix(suffix) + base, by, base[1:]
    if not unit:
        unit = next((base for base in ("bytes", "seconds") if family.endswith(f"_{base}")), "")
    if metric is not None and kind == "counter" and metric.unit == "messages":
        family = f"{PREFIX}messages_{name}"
    if kind == "counter":
        family = family.removesuffix("_total")
    if several:
        family, unit = f"{family}_{kind}", ""
    if family.endswith(_RESERVED):
        family, unit = f"{family}_value", ""
    return Name(family, factor, unit)


def bounds_of(name: str) -> tuple[float, ...]:
    """In the metric's own unit."""
    return TIMES if name.endswith("_ms") else VALUES
