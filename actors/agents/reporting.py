"""What a worker tells the supervisor of itself: a change of its state at once, and what else changes now and then."""

from __future__ import annotations

from collections.abc import Callable

from squad.actors.protocol import Report
from squad.store.rows import Outcome

_APART = 1.0  # seconds between reports that say nothing new about its state
_AT_WORK = frozenset({"busy", "idle"})  # states that may change with every message


class Reports:
    """Of the process ``worker``; ``tell`` sends one."""

    def __init__(self, worker: str, tell: Callable[[Report], None]) -> None:
        self._worker = worker
        self._tell = tell
        self._handled = 0
        self._last_error = ""
        self._last: Report | None = None
        self._at = 0.0

    def count(self, outcome: Outcome) -> None:
        """A handler has ended."""
        self._handled += outcome.kind == "done"
        if outcome.kind in ("error", "timeout", "refused"):
            self._last_error = outcome.error.splitlines()[0] if outcome.error else outcome.kind

    def say(self, state: str, in_hand: int, tokens: float | None, now: float) -> bool:
        """Tell what changed; False when it is too soon to say so. ``now`` in seconds of any clock."""
        report = Report(self._worker, state, self._handled, in_hand, tokens, self._last_error)
        if report == self._last:
            return True
        if self._last is not None and now - self._at < _APART:
            before = self._last.state
            if state == before or (state in _AT_WORK and before in _AT_WORK):
                return False
        self._last, self._at = report, now
        self._tell(report)
        return True
