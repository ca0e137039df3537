"""Whether mailboxes fill up: said once for each time that they do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from squad.actors.rules import Bound

_CALM = 0.75  # part of a mark below which its next crossing counts again

Mark = Literal["warning", "full"]


class Gauges:
    """The marks that each recipient's mailbox has passed and not come well below since."""

    def __init__(self, depths: Mapping[str, int], bound: Callable[[str], Bound | None]) -> None:
        """What has passed a mark already was said by whoever saw it pass."""
        self._passed: dict[str, set[Mark]] = {}
        for recipient, depth in depths.items():
            self.look(recipient, depth, bound(recipient))

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
