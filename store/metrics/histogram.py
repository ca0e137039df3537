"""How values are spread, in few numbers that can be added up: from these come percentiles over any time.

The buckets are those of OpenTelemetry's exponential histogram with scale 3, eight for each doubling: a percentile is
off by at most 4.5 %, whatever the size of the values, and two histograms are merged without a loss. Only buckets that
hold something are kept. See https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram

A bucket is known by its place: ``p`` holds what is above ``bound(p - 1)`` and up to ``bound(p)``, which is 2 to the
power of ``p / 8``. OpenTelemetry calls it ``p - 1``. The lowest place holds all that is not above 1e-9, zero and
negative values too, and the highest all that is above 1e18.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from math import inf
from typing import Self

_SCALE = 8  # buckets for each doubling
LOWEST, HIGHEST = -30 * _SCALE, 60 * _SCALE + 1
_BOUNDS = [2.0 ** (place / _SCALE) for place in range(LOWEST, HIGHEST)]


def bound(place: int) -> float:
    """The largest value that a bucket holds."""
    return inf if place >= HIGHEST else _BOUNDS[place - LOWEST]


def _place(value: float) -> int:
    return LOWEST + bisect_left(_BOUNDS, value)


class Histogram:
    """See the module. ``buckets``: place -> how many values."""

    __slots__ = ("buckets",)

    def __init__(self, buckets: Mapping[int, int] | None = None) -> None:
        self.buckets: dict[int, int] = dict(buckets or {})

    @classmethod
    def of(cls, ordered: Sequence[float]) -> Self:
        """With all of these, which are in order, the least first.

        This runs for the times of every message. There are far fewer buckets than values, so to look where each ends
        among the values in order costs a quarter of what the logarithm of each value does.
        """
        made = cls()
        begin = 0
        while begin < len(ordered):
            place = _place(ordered[begin])
            end = bisect_right(ordered, bound(place), begin)
            made.buckets[place] = end - begin
            begin = end
        return made

    @classmethod
    def same(cls, value: float, count: int) -> Self:
        """So many times the same value."""
        return cls({_place(value): count})

    @classmethod
    def read(cls, text: str) -> Self:
        """From what ``text`` wrote."""
        flat = json.loads(text)
        return cls(dict(zip(flat[::2], flat[1::2], strict=True)))

    def text(self) -> str:
        """A JSON array, place and count in turn, in order: ``[0,12,3,1]``."""
        return json.dumps([number for item in sorted(self.buckets.items()) for number in item], separators=(",", ":"))

    def add(self, other: Histogram) -> None:
        buckets = self.buckets
        for place, count in other.buckets.items():
            buckets[place] = buckets.get(place, 0) + count

    @property
    def count(self) -> int:
        return sum(self.buckets.values())

    def percentile(self, q: float) -> float | None:
        """The value below which the part ``q`` (0 to 1) of all lie, as near as the buckets tell; None without any.

        It is the middle of the bucket in which the value of that rank is.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"{q} is no part of a whole: 0 to 1")
        rank = max(1.0, q * self.count)
        passed = 0
        for place, count in sorted(self.buckets.items()):
            passed += count
            if passed >= rank - 1e-9:
                return _middle(place)
        return None

    def at_most(self, value: float) -> int:
        """How many are in buckets that lie wholly at or below ``value``; exact for the bounds of buckets."""
        last = LOWEST + bisect_right(_BOUNDS, value) - 1
        return sum(count for place, count in self.buckets.items() if place <= last)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.buckets == other.buckets

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Histogram({dict(sorted(self.buckets.items()))})"


def _middle(place: int) -> float:
    """The geometric one."""
    if place <= LOWEST:
        return 0.0
    return _BOUNDS[-1] if place >= HIGHEST else float(2.0 ** ((place - 0.5) / _SCALE))
