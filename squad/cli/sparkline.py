"""Lines of numbers in one row of text: ``▁▂▅█▃``."""

from __future__ import annotations

import math
from collections.abc import Sequence

_STEPS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int | None = None, *, top: float | None = None) -> str:
    """One character for each value, the newest last; a blank for None.

    With ``width`` only the last so many, and blanks behind them if there are fewer. The lowest step is 0 and the
    highest is ``top``, or else the greatest value: so a line that hardly changes is even, and shows no noise.
    """
    shown = list(values if width is None else values[-width:] if width > 0 else ())
    known = [value for value in shown if value is not None and math.isfinite(value)]
    most = max([*known, 0.0]) if top is None else top
    text = "".join(_step(value, most) for value in shown)
    return text if width is None else text.ljust(width)


def _step(value: float | None, most: float) -> str:
    if value is None or not math.isfinite(value):
        return " "
    if most <= 0 or value <= 0:
        return _STEPS[0]
    return _STEPS[min(len(_STEPS) - 1, math.ceil(value / most * (len(_STEPS) - 1)))]
