"""The broker's memory of handlers that were told to end. Pure: the caller gives the time, which is monotonic.

The store knows which messages are cancelled; this knows whom to remind of it, and until when.
"""

from __future__ import annotations

from squad.store.rows import Running

_SPARE = 3.0  # seconds after its grace in which a worker ends its handler itself
_AGAIN = 5.0  # seconds until the supervisor is asked once more


class Cancels:
    """See the module."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[Running, float]] = {}  # by row, with when the worker is to be evicted

    def add(self, lease: Running, grace: float, now: float) -> float:
        """A handler has ``grace`` seconds from now. When its worker will be overdue; an earlier cancel counts."""
        known = self._told.get(lease.row)
        if known is None or known[0] != lease:
            known = self._told[lease.row] = (lease, now + grace + _SPARE)
        return known[1]

    def ended(self, row: int, fence: int) -> None:
        if row in self._told and self._told[row][0].fence == fence:
            del self._told[row]

    def gone(self, worker: str) -> None:
        self._told = {row: entry for row, entry in self._told.items() if entry[0].worker != worker}

    def of(self, worker: str) -> list[Running]:
        return [lease for lease, _ in self._told.values() if lease.worker == worker]

    def overdue(self, now: float) -> set[str]:
        """Workers whose handlers go on past their grace. They are named again after a while if they are still there."""
        late = [lease for lease, due in self._told.values() if due <= now]
        for lease in late:
            self._told[lease.row] = (lease, now + _AGAIN)
        return {lease.worker for lease in late}

    @property
    def next_due(self) -> float | None:
        return min((due for _, due in self._told.values()), default=None)

    def __bool__(self) -> bool:
        return bool(self._told)
