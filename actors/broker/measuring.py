"""When the broker writes down what was measured: seldom, and as a rule in a transaction that happens anyway."""

from __future__ import annotations

from squad.clock import Clock
from squad.config.metrics import MetricsConfig
from squad.store.backend import Metrics

_SHORTEST, _LONGEST = 5.0, 60.0  # seconds between two writings
_SWEPT = 3600.0  # likewise, while nothing is recorded, and what is old must go
_SHARE = 500  # times what a writing took must lie between it and the next


class Measuring:
    """See the module. Moments are of the monotonic clock.

    What is counted is written some seconds later. With it a slice of what is old is folded, and while there is more of
    that, the next slice follows at once, in a transaction of its own.
    """

    def __init__(self, metrics: Metrics, settings: MetricsConfig, clock: Clock) -> None:
        self.due: float | None = None
        self._metrics = metrics
        self._clock = clock
        self._free_at = 0.0
        self._at_once = False
        self._folding = False
        self.configure(settings)

    def configure(self, settings: MetricsConfig) -> None:
        self._metrics.enabled, self._keep = settings.enabled, settings.keep

    def at_once(self) -> None:
        """Write in the transaction that is open: something was handed in, which comes seldom."""
        self._at_once = True

    def turn(self, now: float) -> None:
        """At the end of a transaction; ``now`` is in seconds since the epoch."""
        if not self._at_once and (self.due is None or self._clock.monotonic() < self.due):
            return
        began = self._clock.monotonic()
        self._at_once = False
        if self._metrics.pending:
            self._metrics.write(now)
        self._folding = self._metrics.fold(now, self._keep)
        spent = self._clock.monotonic() - began
        self._free_at = began + min(_LONGEST, max(_SHORTEST, _SHARE * spent))
        self.due = None

    def over(self) -> float | None:
        """A transaction is over, well or not; when the next turn is due."""
        if self._folding:
            self.due = self._clock.monotonic()
        elif self.due is None:
            if self._metrics.pending:
                self.due = max(self._clock.monotonic() + _SHORTEST, self._free_at)
            elif not self._metrics.enabled:
                self.due = self._clock.monotonic() + _SWEPT
        return self.due
