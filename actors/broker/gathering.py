"""What has arrived for the broker, in batches that share a commit."""

from __future__ import annotations

import queue
from typing import Any

from squad.clock import Clock

_COMPANY = 0.001  # seconds that a batch waits for more while the squad is busy
_BUSY = 0.002  # seconds since the last commit within which it counts as busy


class Gathering:
    """``put`` is for any thread, the rest for the broker's. A batch waits for company only while it is ``busy``."""

    def __init__(self, clock: Clock) -> None:
        self.busy = False
        self._clock = clock
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._committed_at = 0.0

    def put(self, item: Any) -> None:
        self._arrived.put(item)

    @property
    def waiting(self) -> bool:
        """Whether something has arrived that is in no batch yet."""
        return not self._arrived.empty()

    def committed(self, now: float) -> None:
        """The last batch is dealt with; ``now`` is monotonic."""
        self._committed_at = now

    def batch(self, patience: float | None) -> list[Any]:
        """What has arrived, waiting for the first for ``patience`` seconds at most (None: for ever)."""
        try:
            found = [self._arrived.get(timeout=patience)]
        except queue.Empty:
            return []
        now = self._clock.monotonic()
        self.busy = now - self._committed_at < _BUSY
        until = now + _COMPANY if self.busy else now
        while (left := until - self._clock.monotonic()) > 0:
            try:
                found.append(self._arrived.get(timeout=left))
            except queue.Empty:
                break
        while not self._arrived.empty():
            found.append(self._arrived.get())
        return found
