"""Two benchmarks beside each other."""

from __future__ import annotations

from typing import NamedTuple

from squad.benchmark.document import Document, Measurement
from squad.benchmark.numbers import is_judged, unit_of

_NOISE = 0.05  # of a value: what lies so near is the same, as two runs of one program differ by as much


class Compared(NamedTuple):
    """One figure of both, as medians. ``ratio`` is this by the other; None when the other is 0."""

    measurement: Measurement
    figure: str
    value: float
    other: float
    ratio: float | None
    change: str
    """``better``, ``worse``, ``same``, or nothing where more or less is neither."""


def compare(document: Document, other: Document) -> list[Compared]:
    """Every figure that both have, of the same measurement with the same agents and operations."""
    theirs = {_key(found): found for found in other.measurements}
    return [
        _compared(ours, theirs[_key(ours)], figure)
        for ours in document.measurements
        if _key(ours) in theirs
        for figure in ours.figures
        if figure in theirs[_key(ours)].figures
    ]


def differences(document: Document, other: Document) -> list[str]:
    """What makes them hard to compare, as sentences: another machine, other settings."""
    found = []
    for what, ours, theirs in (
        ("machine", document.machine, other.machine),
        ("settings", document.settings, other.settings),
    ):
        keys = [key for key in ours if key in theirs and ours[key] != theirs[key] and key != "load_before"]
        found += [f"{what}: {key} was {theirs[key]} there and is {ours[key]} here" for key in keys]
    return found


def _key(found: Measurement) -> tuple[str, int, int]:
    return found.name, found.agents, found.operations


def _compared(ours: Measurement, theirs: Measurement, figure: str) -> Compared:
    value, other = ours.median(figure), theirs.median(figure)
    ratio = value / other if other else None
    return Compared(ours, figure, value, other, ratio, _change(ours, theirs, figure) if is_judged(figure) else "")


def _change(ours: Measurement, theirs: Measurement, figure: str) -> str:
    """The same where the ranges of their repetitions, a little widened, overlap."""
    here, there = ours.figures[figure], theirs.figures[figure]
    if min(here) * (1 - _NOISE) <= max(there) and min(there) * (1 - _NOISE) <= max(here):
        return "same"
    return "better" if (min(here) > max(there)) == unit_of(figure).more_is_better else "worse"
