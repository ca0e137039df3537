"""A worker's outcomes on their way to storage: from the thread of its handlers until they are acknowledged.

That thread tells them itself, so that the actor's loop need not wake for it, and the loop enters them when it next
does. They are told in their order, whoever tells them: an agent's state builds on the one before.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from squad.clock import Clock
from squad.store.rows import Outcome

Claim = tuple[int, int]

_TOGETHER = 0.005  # seconds for which outcomes are gathered while more work is at hand
_AGAIN = 5.0  # seconds until an outcome that nobody acknowledged is said again


class Outbox:
    """``ended`` is for the thread of the handlers, ``tell`` for both, all else for the actor's.

    ``told`` is called, on either thread, with outcomes for storage.
    """

    def __init__(self, told: Callable[[Sequence[Outcome]], None], clock: Clock) -> None:
        self._told = told
        self._clock = clock
        self._ended: deque[Outcome] = deque()  # by the handlers, not entered yet
        self._untold: deque[Outcome] = deque()  # of these, those that storage was not told yet
        self._telling = threading.Lock()
        self._told_at = 0.0  # when the thread of the handlers last told something
        self._unacknowledged: dict[Claim, tuple[Outcome, float]] = {}  # and when it was entered, the oldest first

    def __bool__(self) -> bool:
        """Whether something is not acknowledged."""
        return bool(self._ended or self._unacknowledged)

    def __contains__(self, claim: Claim) -> bool:
        return claim in self._unacknowledged

    @property
    def claims(self) -> Iterable[Claim]:
        """Of all that was entered and is not acknowledged."""
        return self._unacknowledged

    @property
    def ended_by_handlers(self) -> int:
        """How many were not entered yet."""
        return len(self._ended)

    # -- the thread of the handlers ---------------------------------------------------------------------------------

    def ended(self, outcome: Outcome, *, more: bool) -> bool:
        """A handler has ended. True: it is time to ``tell``. While ``more`` is at hand a few are told together."""
        self._ended.append(outcome)  # first: once it is told, its acknowledgement may come at any time
        self._untold.append(outcome)
        now = self._clock.monotonic()
        if more and now - self._told_at < _TOGETHER:
            return False
        self._told_at = now
        return True

    def tell(self) -> None:
        """Tell what has ended and was not told yet."""
        with self._telling:
            self._tell_rest()

    def _tell_rest(self) -> None:
        outcomes = [self._untold.popleft() for _ in range(len(self._untold))]
        if outcomes:
            self._told(outcomes)

    # -- the actor's loop -------------------------------------------------------------------------------------------

    def enter(self, holds: Callable[[Claim], bool]) -> Iterator[Outcome]:
        """Take note of what the handlers have ended; each of those that the worker still ``holds``."""
        while self._ended:
            outcome = self._ended.popleft()
            claim = outcome[:2]
            if holds(claim):  # else it was given up by a time-out before it ended after all
                self._unacknowledged[claim] = (outcome, self._clock.monotonic())
                yield outcome

    def send(self, outcomes: Sequence[Outcome]) -> None:
        """Tell outcomes that no handler gave."""
        now = self._clock.monotonic()
        self._unacknowledged.update({outcome.claim: (outcome, now) for outcome in outcomes})
        self._told(outcomes)

    def acknowledged(self, claim: Claim) -> Outcome | None:
        """The outcome that storage has dealt with; None when it was acknowledged before."""
        found = self._unacknowledged.pop(claim, None)
        return None if found is None else found[0]

    @property
    def forgotten(self) -> bool:
        """Whether something has had no acknowledgement for long."""
        _, entered = next(iter(self._unacknowledged.values()), (None, None))
        return entered is not None and self._clock.monotonic() - entered > _AGAIN

    def say_again(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """All that was entered and is not acknowledged, before anything new. ``meanwhile`` is called first, while
        nothing can be told."""
        with self._telling:
            meanwhile()
            outcomes = [outcome for outcome, _ in self._unacknowledged.values()]
            if outcomes:
                self._unacknowledged.clear()
                self.send(outcomes)
            self._tell_rest()
