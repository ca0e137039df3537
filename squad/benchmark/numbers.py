"""Percentiles and medians, and in which unit a figure is, which its name says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Figures = dict[str, float]
"""The figures of one measurement by their names."""


class Unit(NamedTuple):
    name: str
    decimals: int
    more_is_better: bool = False


_UNITS = {
    "_per_second": Unit("1/s", 0, more_is_better=True),
    "_us": Unit("µs", 1),
    "_ms": Unit("ms", 2),
    "_seconds": Unit("s", 3),
    "_mb": Unit("MB", 1),
    "_percent": Unit("%", 2),
    "_depth_p95": Unit("messages", 0),
}
_OFFERED = ("offered_per_second", "sent_per_second")  # what the benchmark itself did: neither good nor bad
_FULL = "full_"  # readings at full load, which is as much as the machine can take


def unit_of(figure: str) -> Unit:
    """By the end of the figure's name. A figure of an unknown kind, of a later version perhaps, has no unit."""
    return next((unit for suffix, unit in _UNITS.items() if figure.endswith(suffix)), Unit("", 2))


def is_judged(figure: str) -> bool:
    """Whether more or less of it is better at all."""
    return not figure.endswith(_OFFERED) and not figure.startswith(_FULL)


def written(value: float, unit: Unit) -> str:
    return f"{value:,.{unit.decimals}f}"


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The smallest value that at least ``per_cent`` % of ``values`` do not exceed (the nearest-rank method)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * per_cent / 100) - 1)]


def latencies(name: str, milliseconds: Sequence[float]) -> Figures:
    """``{name_p50_ms, name_p95_ms, name_p99_ms, name_max_ms}``"""
    ranks = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    return {f"{name}_{rank}_ms": percentile(milliseconds, per_cent) for rank, per_cent in ranks.items()}
