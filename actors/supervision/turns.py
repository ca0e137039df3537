"""Who starts now: only so many processes start at a time, and they start together.

A supervisor that forks a thousand at once hears nobody meanwhile. On a busy machine that takes longer than a process
has for its start, and all would be ended and started again, for ever.

One that forks a single process whenever another has started writes in between to memory that all of them share, and
each keeps a copy of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from squad.actors.supervision.children import CORE, Child

_AT_ONCE = 64
_TOGETHER = 32  # the most for which others wait


class Turns:
    """``obstacles`` names what a child waits for; ``start`` starts those that it is given."""

    def __init__(
        self, children: Mapping[str, Child], obstacles: Callable[[Child], list[str]], start: Callable[..., None]
    ) -> None:
        self._children = children
        self._obstacles = obstacles
        self._start = start
        self._next: deque[Child] = deque()
        self._starting: set[str] = set()

    def began(self, child: Child) -> None:
        """Its process was made."""
        self._starting.add(child.name)

    def over(self, child: Child) -> None:
        """It has said Started, or it has ended."""
        self._starting.discard(child.name)

    def give(self, *, everybody: bool) -> None:
        """Start whoever may: the core at once, agents when there is room for many. Not ``everybody``: storage alone.

        They are gathered once for many turns, since a look at everybody takes its time.
        """
        for kind in CORE if everybody else CORE[:1]:
            if (core := self._children.get(kind)) is not None and self._may_start(core):
                self._start(core)
        if everybody and not self._next and self._room:
            self._next.extend(child for child in self._children.values() if self._may_start(child))
        while everybody and self._next and self._room >= min(len(self._next), _TOGETHER):
            turn = [self._next.popleft() for _ in range(min(len(self._next), self._room))]
            self._start(*(each for each in turn if self._children.get(each.name) is each and self._may_start(each)))

    def _may_start(self, child: Child) -> bool:
        return child.state == "waiting" and not self._obstacles(child)

    @property
    def _room(self) -> int:
        return _AT_ONCE - len(self._starting)
