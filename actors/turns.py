"""Who starts now: only so many processes start at a time.

A supervisor that forks a thousand at once hears nobody meanwhile. On a busy machine that takes longer than a process
has for its start, and all would be ended and started again, for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from squad.actors.children import CORE, Child

_AT_ONCE = 16


class Turns:
    """``obstacles`` names what a child waits for; ``start`` starts it."""

    def __init__(
        self, children: Mapping[str, Child], obstacles: Callable[[Child], list[str]], start: Callable[[Child], None]
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
        """Start whoever may: the core at once, agents while there is room. Not ``everybody``: storage alone.

        They are gathered once for many turns. To look at everybody between two forks would write to memory that the
        processes share (the objects' counts of references), and each process would keep a copy of its own.
        """
        for kind in CORE if everybody else CORE[:1]:
            if (core := self._children.get(kind)) is not None and self._may_start(core):
                self._start(core)
        if everybody and not self._next and self._room:
            self._next.extend(child for child in self._children.values() if self._may_start(child))
        while everybody and self._next and self._room:
            child = self._next.popleft()
            if self._children.get(child.name) is child and self._may_start(child):
                self._start(child)

    def _may_start(self, child: Child) -> bool:
        return child.state == "waiting" and not self._obstacles(child)

    @property
    def _room(self) -> bool:
        return len(self._starting) < _AT_ONCE
