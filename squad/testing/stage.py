"""Actors on one thread: what the actors tell each other is carried from one to the next, one message at a time.

The actors are the real ones. What this takes the place of is what lies under them: processes, sockets, and time. A
handler runs on its agent's own thread, as it always does, but only one of them at a time, while this waits for it; so
the same test does the same things in the same order every time.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from squad.testing.clock import ManualClock
from squad.testing.failures import StuckError

if TYPE_CHECKING:
    from squad.actors.base import Actor as _Actor
    from squad.config.schema import LoggingConfig
else:
    _Actor = object  # the actor's own class brings the rest, and comes after this one


class Receiver(Protocol):
    """Who can be told something. It is its own address."""

    def receive(self, msg: Any, sender: Any) -> None: ...


class Worker(Protocol):
    """An actor with a thread beside it."""

    def working(self) -> bool:
        """Whether the thread is at something, and will say when it is done."""

    def doing(self) -> str:
        """What it is at, for people."""


class Stage:
    """See the module. ``start`` is in seconds since the epoch; ``patience`` in seconds of real time for one handler."""

    def __init__(self, start: float, patience: float) -> None:
        self.changed = threading.Condition()
        self.clock = ManualClock(start, self.changed)
        self.workers: list[Worker] = []
        self._patience = patience
        self._calls: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def tell(self, target: Receiver, msg: Any, sender: Any) -> None:
        self.soon(lambda: target.receive(msg, sender))

    def soon(self, call: Callable[[], None]) -> None:
        """For any thread."""
        with self.changed:
            self._calls.append(call)
            self.changed.notify_all()

    def at(self, moment: float, call: Callable[[], None]) -> None:
        """Call when the clock's ``now`` is ``moment``."""
        heapq.heappush(self._timers, (moment, next(self._numbers), call))

    def pump(self) -> None:
        """Carry every message there is, and what comes of it."""
        self._let_work()
        while self._calls:
            self._calls.popleft()()
            self._let_work()

    def run(self) -> None:
        """Do all that can be done without the clock moving on."""
        while True:
            self.pump()
            if self._timers and self._timers[0][0] <= self.clock.now:
                heapq.heappop(self._timers)[2]()
            elif not self.clock.release():
                return

    def advance(self, seconds: float) -> None:
        """Let so much time pass, doing at its moment whatever becomes due on the way."""
        target = self.clock.now + seconds
        self.run()
        while True:
            coming = [moment for moment in (self.clock.next(), *(t[0] for t in self._timers[:1])) if moment is not None]
            if not coming or min(coming) > target:
                break
            self.clock.move(min(coming))
            self.run()
        self.clock.move(target)

    def _let_work(self) -> None:
        """Wait until no thread is at work. Raises StuckError when one is for too long."""
        with self.changed:
            if not self.changed.wait_for(lambda: not self._busy(), self._patience):
                doing = ", ".join(worker.doing() for worker in self._busy())
                raise StuckError(
                    f"still at work after {self._patience:g} s of real time: {doing}; patience= gives it longer"
                )

    def _busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.working()]


class _LeftError(BaseException):
    """An actor has ended its process."""


class Staged(_Actor):
    """Mixed in before an actor's own class, it replaces what reaches out of the process."""

    stage: Stage

    def enter(self, stage: Stage, keeper: Keeper) -> None:
        """Come on the stage: what a new process is before its first message."""
        self.stage, self.clock = stage, stage.clock
        self._keeper = keeper
        self.dead = False
        self.started()

    def receive(self, msg: Any, sender: Any) -> None:
        """Handle a message; those to the dead are lost."""
        handler = self._handlers.get(type(msg))
        if handler is None:
            self._count_unrecognised(msg)
        else:
            self._alive(lambda: getattr(self, handler)(msg, sender))

    def _alive(self, call: Callable[[], None]) -> None:
        if self.dead:
            return
        try:
            call()
        except _LeftError:
            self.dead = True
            self.stage.soon(lambda: self._keeper.ended(self))  # after what it has told

    @property
    def address(self) -> Any:
        return self

    def tell(self, address: Any, msg: object) -> None:
        if not self.dead:  # the thread of its handlers may not know yet
            self.stage.tell(address, msg, self)

    def after(self, seconds: float, token: Any) -> None:
        self.stage.at(self.stage.clock.now + seconds, lambda: self._alive(lambda: self.on_timer(token)))

    def post(self, call: Callable[[], None]) -> None:
        self.stage.soon(lambda: self._alive(call))

    def set_title(self, title: str) -> None:
        """The process is the test's own, and keeps its name."""

    def log_to(self, home: Path, name: str, settings: LoggingConfig) -> None:
        """What is logged goes where the test's own logging sends it."""

    def leave(self, status: int = 0, farewell: float = 2.0) -> NoReturn:
        raise _LeftError


class Keeper(Protocol):
    """Whom an actor's end concerns."""

    def ended(self, actor: Any) -> None: ...
