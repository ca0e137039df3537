"""Whether memory grows with the work that is done: a straight line through the readings, by least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

FEWEST = 6
"""Rounds of work without which nothing can be said."""

SMALLEST = 32.0
"""Bytes for each message handled. No object that Python could leave behind for a message is smaller, so a slope below
this is no leak of one."""

LEAST = 0.5
"""Megabytes. A process shares pages with those that were forked from the same one; what it touches late becomes its own
and looks like growth. So a line that rises by less than this over all the runs it goes through shows no leak."""

_SURE = 3.0  # times the slope's standard error: less may be chance


class Line(NamedTuple):
    """``slope`` for each step, and its standard error."""

    slope: float
    error: float


class Finding(NamedTuple):
    """``slope`` in bytes for each message; None when there are too few readings."""

    leaks: bool
    slope: float | None
    words: str


def line(values: Sequence[float]) -> Line:
    """The straight line through at least three values that are one step apart, by ordinary least squares."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    spread = sum((number - middle) ** 2 for number in range(count))
    slope = sum((number - middle) * (value - mean) for number, value in enumerate(values)) / spread
    rest = sum((value - mean - slope * (number - middle)) ** 2 for number, value in enumerate(values))
    return Line(slope, math.sqrt(rest / (count - 2) / spread))


def judge(after: Sequence[float], messages: float) -> Finding:
    """``after``: MB of one process after each round of work; ``messages``: handled by it in each.

    The line goes through the second half, since the first rounds fill caches and touch pages that were shared.
    """
    if len(after) < FEWEST or messages <= 0:
        return Finding(False, None, f"too few runs to tell: at least {FEWEST} are needed")
    last = after[len(after) // 2 :]
    slope, error = line(last)
    each, unsure = slope * 1e6 / messages, error * 1e6 / messages
    grows = f"{each:+.0f} ± {unsure:.0f} bytes for each message"
    if each <= SMALLEST:
        return Finding(False, each, f"no leak: {grows}, and {SMALLEST:.0f} are the least that could be one")
    if each <= _SURE * unsure:
        return Finding(False, each, f"no leak: {grows}, less than {_SURE:.0f} times what chance explains")
    grown = slope * (len(last) - 1)
    if grown < LEAST:
        return Finding(False, each, f"no leak that shows: {grows}, but only {grown:.1f} MB in all; try more --messages")
    return Finding(True, each, f"a leak: {grows}, {grown:.1f} MB over the last {len(last)} runs")
