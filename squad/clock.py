"""The clock that the actors go by. It is handed to whatever needs the time, so that a test can bring one of its own."""

from __future__ import annotations

import threading
import time


class Clock:
    """The system's clock."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only ever go forward, counted from anywhere."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until ``event`` is set, ``seconds`` at most; whether it is."""
        return event.wait(seconds)


SYSTEM = Clock()
