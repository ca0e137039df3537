"""Whether mailboxes fill up: said once for each time that they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from squad.actors import logs
from squad.actors.broker.rules import Bound
from squad.events import Event, event

_CALM = 0.75  # part of a mark below which its next crossing counts again

Mark = Literal["warning", "full"]


class Gauges:
    """The marks that each recipient's mailbox has passed and not come well below since."""

    def __init__(self, depths: Mapping[str, int], bound: Callable[[str], Bound | None]) -> None:
        """What has passed a mark already was said by whoever saw it pass."""
        self._passed: dict[str, set[Mark]] = {}
        for recipient, depth in depths.items():
            self.look(recipient, depth, bound(recipient))

    def warnings(
        self, recipients: Iterable[str], depth: Callable[[str], int], bound: Callable[[str], Bound | None]
    ) -> list[Event]:
        """What to record about those of them whose mailboxes fill up. It is logged here."""
        found = []
        for recipient in recipients:
            limits, waiting = bound(recipient), depth(recipient)
            mark = self.look(recipient, waiting, limits)
            if mark is not None and limits is not None:
                logs.logger("storage").warning(
                    "%d messages wait for %s; its limit is %d", waiting, recipient, limits.limit
                )
                found.append(event("queue_warning", recipient, queued=waiting, limit=limits.limit, mark=mark))
        return found

    def look(self, recipient: str, depth: int, bound: Bound | None) -> Mark | None:
        """The highest mark that this depth passes for the first time, None mostly."""
        if bound is None:
            return None
        passed = self._passed.get(recipient)
        if passed is None:
            if depth < bound.warn_at:
                return None
            passed = self._passed[recipient] = set()
        found: Mark | None = None
        marks: tuple[tuple[Mark, int], ...] = (("warning", bound.warn_at), ("full", bound.limit))
        for mark, at in marks:
            if depth >= at and mark not in passed:
                passed.add(mark)
                found = mark
            elif depth < at * _CALM:
                passed.discard(mark)
        if not passed:
            del self._passed[recipient]
        return found
