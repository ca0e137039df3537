"""How much the squad is held back while the machine is overloaded. Pure: readings in, a pause in seconds out."""

from __future__ import annotations

_FIRST = 0.25  # seconds; less than that is nothing
_LATE = 0.5  # seconds by which a reading comes late on a machine that cannot keep up


class Throttle:
    """The pause between two hand-outs of messages to workers: doubled at each reading of an overloaded machine, up to
    ``most`` seconds, halved at each other one. So it comes within seconds and goes as fast (multiplicative increase
    and decrease).

    Overloaded is a machine whose memory is over its threshold, or whose CPU is, and which lets even the monitor wait:
    a CPU in full use is the squad at work, and no overload as long as everybody has his turn.
    """

    def __init__(self, cpu_threshold: float, memory_threshold: float, most: float) -> None:
        """Thresholds in percent of the machine; ``most`` 0: never hold back."""
        self.pause = 0.0
        self._cpu = cpu_threshold
        self._memory = memory_threshold
        self._most = most

    def decide(self, cpu: float, memory: float, late: float) -> tuple[float, str] | None:
        """The new pause in seconds and why; None: as before. ``late``: seconds by which this reading was late."""
        starved = cpu >= self._cpu and late >= _LATE
        full = memory >= self._memory
        before = self.pause
        if full or starved:
            self.pause = min(self._most, max(_FIRST, 2 * self.pause))
        else:
            self.pause = self.pause / 2 if self.pause > _FIRST else 0.0
        if self.pause == before:
            return None
        readings = f"CPU {cpu:.0f} %, memory {memory:.0f} %"
        if full:
            why = f"memory is over {self._memory:.0f} %"
        elif starved:
            why = f"CPU is over {self._cpu:.0f} %, and processes wait {late:.1f} s for it"
        else:
            why = "the machine has room again"
        return self.pause, f"{why}: {readings}"
