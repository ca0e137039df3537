"""What was recorded of a metric in some time: summaries of two times add up to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from squad.metrics import Kind
from squad.store.metrics.histogram import Histogram

Row = tuple[int, float, float | None, float | None, float | None, str | None]
"""count, sum, least, most, last, buckets: the columns of ``metric_points``. Where all values were the same the row says
only their count and sum."""


@dataclass(slots=True)
class Summary:
    """``count`` values were recorded, which are ``sum`` together: of a counter, how much it grew.

    ``least``, ``most`` and ``last`` are those of a gauge or a histogram (which has no ``last``), ``buckets`` those of a
    histogram; None for others, and while nothing was recorded. ``seconds``: the time that it is about, where that was
    asked for.
    """

    count: int = 0
    sum: float = 0.0
    least: float | None = None
    most: float | None = None
    last: float | None = None
    buckets: Histogram | None = None
    seconds: float = 0.0

    @classmethod
    def counted(cls, count: int, amount: float | None = None) -> Self:
        """Of a counter."""
        return cls(count, count if amount is None else amount)

    @classmethod
    def gauged(cls, value: float) -> Self:
        """Of a gauge."""
        return cls(1, value, value, value, value)

    @classmethod
    def observed(cls, values: Sequence[float]) -> Self:
        """Of a histogram; ``values`` are not empty."""
        ordered = sorted(values)
        return cls(len(ordered), sum(ordered), ordered[0], ordered[-1], None, Histogram.of(ordered))

    @classmethod
    def of(cls, kind: Kind, value: float) -> Self:
        """One value of a metric of that kind."""
        if kind == "counter":
            return cls.counted(1, value)
        return cls.gauged(value) if kind == "gauge" else cls.observed((value,))

    @property
    def mean(self) -> float | None:
        return self.sum / self.count if self.count else None

    @property
    def per_second(self) -> float | None:
        """How fast a counter grew; None where no time is known."""
        return self.sum / self.seconds if self.seconds > 0 else None

    def percentile(self, q: float) -> float | None:
        """The value below which the part ``q`` (0 to 1) lies, 4.5 % off at most; None for what is no histogram."""
        found = None if self.buckets is None else self.buckets.percentile(q)
        if found is None or self.least is None or self.most is None:
            return found
        return min(max(found, self.least), self.most)

    def add(self, later: Summary) -> None:
        """With what was recorded in another time, as a rule a later one; ``seconds`` stays."""
        self.count += later.count
        self.sum += later.sum
        if later.least is not None and (self.least is None or later.least < self.least):
            self.least = later.least
        if later.most is not None and (self.most is None or later.most > self.most):
            self.most = later.most
        if later.last is not None:
            self.last = later.last
        if later.buckets is not None:
            if self.buckets is None:
                self.buckets = Histogram(later.buckets.buckets)
            else:
                self.buckets.add(later.buckets)

    def row(self) -> Row:
        """For ``metric_points``."""
        if self.least == self.most:
            return self.count, self.sum, None, None, None, None
        text = None if self.buckets is None else self.buckets.text()
        return self.count, self.sum, self.least, self.most, self.last, text

    @classmethod
    def from_row(cls, kind: Kind, row: Sequence[Any]) -> Self:
        count, total, least, most, last, text = row
        if kind == "counter":
            return cls(count, total)
        if least is None:
            value = total / count if count else 0.0
            same = Histogram.same(value, count) if kind == "histogram" else None
            return cls(count, total, value, value, value if kind == "gauge" else None, same)
        return cls(count, total, least, most, last, None if text is None else Histogram.read(text))
