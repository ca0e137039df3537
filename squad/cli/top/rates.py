"""Messages a second, by name, from what ended between two looks.

Pure: whoever looks says how long it was. All times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

WINDOW = 10.0  # seconds over which a rate is averaged
KEPT = 240  # looks that a line can show: as wide as a terminal is likely to be


@dataclass(frozen=True, slots=True)
class _Look:
    seconds: float  # since the look before
    total: float  # messages a second
    by_name: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rates:
    """What the looks of one viewer have seen, the newest last."""

    looks: tuple[_Look, ...] = ()

    def after(self, seconds: float, total: int, counts: Mapping[str, int], counted: float) -> Rates:
        """With one more look, ``seconds`` after the last: ``total`` messages ended in ``counted`` of them."""
        if seconds <= 0 or counted <= 0:
            return self
        look = _Look(seconds, total / counted, {name: count / counted for name, count in counts.items()})
        return replace(self, looks=(*self.looks[1 - KEPT :], look))

    def total(self) -> float:
        """Messages a second, of all."""
        return _mean([(look.seconds, look.total) for look in self._recent()])

    def of(self, name: str) -> float:
        return _mean([(look.seconds, look.by_name.get(name, 0.0)) for look in self._recent()])

    def line(self, name: str | None = None, last: int = KEPT) -> list[float]:
        """The rate at each of the last looks; of all without a name."""
        looks = self.looks[-last:]
        return [look.total if name is None else look.by_name.get(name, 0.0) for look in looks]

    def _recent(self) -> list[_Look]:
        found: list[_Look] = []
        seconds = 0.0
        for look in reversed(self.looks):
            seconds += look.seconds
            if found and seconds > WINDOW * 1.05:  # looks are not quite a second apart
                break
            found.append(look)
        return found


def _mean(weighted: list[tuple[float, float]]) -> float:
    seconds = sum(weight for weight, _ in weighted)
    return sum(weight * value for weight, value in weighted) / seconds if seconds else 0.0
