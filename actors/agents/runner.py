"""The thread on which an agent's handlers run, so that the actor's own loop is never deaf.

The actor puts leases into the ``Tray``; the runner takes one at a time, runs its handler, and hands back an Outcome.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import os
import queue
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from contextvars import copy_context
from pathlib import Path
from typing import NamedTuple

import squad
from squad.actors.agents.blackbox import BlackBox, Hand
from squad.actors.agents.context import Context, FindType, StateCell, nowhere
from squad.actors.agents.handlers import Agent
from squad.actors.agents.sendrate import BeyondBurstError, SendRate
from squad.clock import SYSTEM, Clock
from squad.errors import CommandTimeoutError, RateLimitError, Refuse, RetryAfter, SquadError
from squad.jsontext import compact
from squad.metrics import Own
from squad.store.rows import Lease, Outcome

_ERROR_LIMIT = 8_000  # characters of a traceback kept with the message
_ACTORS = Path(__file__).resolve().parents[1]
_SQUAD = Path(squad.__file__).resolve().parent  # its own modules; the agents that it brings along are in folders


class InHand(NamedTuple):
    lease: Lease
    started: float  # seconds since the epoch
    begun: float  # the same moment, monotonic


class Tray:
    """Leases which the worker holds and has not begun, in order. Filled by the actor, emptied by the runner.

    The runner sleeps in a queue, not in a condition, which would be several times slower.
    """

    def __init__(self) -> None:
        self._leases: deque[Lease] = deque()
        self._lock = threading.Lock()
        self._alarm: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._asleep = False
        self._closed = False

    def put(self, leases: Iterable[Lease]) -> None:
        with self._lock:
            self._leases.extend(leases)
            self._wake()

    def take(self) -> Lease | None:
        """The next lease, waiting for it; None once the tray is closed and empty."""
        while True:
            with self._lock:
                if self._leases:
                    return self._leases.popleft()
                if self._closed:
                    return None
                self._asleep = True
            self._alarm.get()

    def withdraw(self) -> list[Lease]:
        """Take back everything that was not begun."""
        with self._lock:
            leases = list(self._leases)
            self._leases.clear()
            return leases

    def remove(self, claim: tuple[int, int]) -> bool:
        """Take back this one; False when it is not here."""
        with self._lock:
            left = [lease for lease in self._leases if lease.claim != claim]
            found = len(left) < len(self._leases)
            self._leases = deque(left)
            return found

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        if self._asleep:
            self._asleep = False
            self._alarm.put(None)

    def __len__(self) -> int:
        return len(self._leases)


class Workbench(NamedTuple):
    """What a runner needs beside the messages."""

    name: str  # of the agent, as a sender
    home: Path
    recipients: Mapping[str, frozenset[str]]
    rate: SendRate | None
    state: StateCell | None
    black_box: BlackBox
    max_payload: int
    log: logging.Logger
    clock: Clock = SYSTEM
    find_type: FindType = nowhere
    traced: bool = False  # at first: whether messages' traces are sent somewhere


class Runner(threading.Thread):
    """Runs one agent's handlers. ``finished`` is called on this thread with each Outcome, ``failed`` when the agent
    cannot start; ``ready`` once its ``start`` is through (what it raises fails the start as well)."""

    def __init__(
        self,
        make: Callable[[], Agent],
        bench: Workbench,
        *,
        ready: Callable[[], None],
        failed: Callable[[str], None],
        finished: Callable[[Outcome], None],
    ) -> None:
        super().__init__(name="handlers", daemon=True)
        self.tray = Tray()
        self.cancelled = threading.Event()  # the handler in hand is wanted to end early
        self.current: InHand | None = None
        self._own = Own()
        self.finishing = False  # a handler has said that the agent's work is done
        self.traced = bench.traced  # may change as it runs
        self._make = make
        self._bench = bench
        self._ready = ready
        self._failed = failed
        self._finished = finished
        self._loop: asyncio.Runner | None = None
        self._turn = threading.Lock()  # held while a handler's turn begins, and while it is cancelled
        self._winding_up = False
        self._process = os.getpid()

    def cancel(self, claim: tuple[int, int]) -> bool:
        """Tell the handler of this lease to end early. False when it is not in hand, or was told before."""
        with self._turn:
            if self.current is None or self.current.lease.claim != claim:
                return False
            told = self.cancelled.is_set()
            self.cancelled.set()
            return not told

    def wind_up(self) -> None:
        """Tell the handler in hand, and those of all that come, to end early: the agent stops."""
        with self._turn:
            self._winding_up = True
            self.cancelled.set()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # ours: a silent end would leave the agent waiting for ever
            self._bench.log.exception("the thread of the handlers crashed")
            self._failed(f"this is a bug in Squad: {type(error).__name__} beside the handlers: {error}")

    def _work(self) -> None:
        try:
            agent = self._make()
            agent.start()
            self._ready()
        except BaseException as error:
            self._failed(short_traceback(error))
            return
        while (lease := self.tray.take()) is not None:
            self._finished(self._handle_message(agent, lease))
        try:
            agent.stop()
        except Exception:
            self._bench.log.exception("stop() failed")
        if self._loop is not None:
            self._loop.close()

    def _handle_message(self, agent: Agent, lease: Lease) -> Outcome:
        started, begun = self._bench.clock.time(), self._bench.clock.monotonic()
        with self._turn:
            self.current = hand = InHand(lease, started, begun)
            if self.cancelled.is_set() and not self._winding_up:
                self.cancelled.clear()
        self._bench.black_box.hold(Hand(lease.row, lease.fence, started, lease.task_id, lease.type))
        context = Context(
            agent=self._bench.name,
            lease=lease,
            home=self._bench.home,
            log=self._bench.log,
            recipients=self._bench.recipients,
            rate=self._bench.rate,
            state=self._bench.state,
            cancelled=self.cancelled,
            max_payload=self._bench.max_payload,
            clock=self._bench.clock,
            find_type=self._bench.find_type,
            traced=self.traced,
            own=self._own,
        )
        try:
            with nullcontext() if context.tracing is None else context.tracing.attached():
                outcome = self._completed(agent, hand, context)
        except BaseException as error:
            outcome = self._raised(lease, error)._replace(started=started, duration_ms=self._ran(hand))
        if self._bench.rate is not None:
            unsent = 0 if outcome.kind == "done" else len(context.sends)
            self._bench.rate.ended(lease.task_id, unsent, again=outcome.kind == "limited")
        if os.getpid() != self._process:
            os._exit(0)  # the handler has forked, and both came back: only one of them is the agent
        self._bench.black_box.clear()
        with self._turn:
            self.current = None
        return outcome

    def _ran(self, hand: InHand) -> float:
        """Milliseconds until now."""
        return (self._bench.clock.monotonic() - hand.begun) * 1000

    def _completed(self, agent: Agent, hand: InHand, context: Context) -> Outcome:
        lease = hand.lease
        if lease.type not in agent.handlers:
            raise Refuse(f"{self._bench.name} does not handle {lease.type!r} (any more)")
        kind, method = agent.handlers[lease.type]
        result = getattr(agent, method)(kind.decode(lease.payload), context)
        if inspect.iscoroutine(result):
            if self._loop is None:
                self._loop = asyncio.Runner()
            # Its own context is that of its first run: what is attached for this message is not in it.
            result = self._loop.run(result, context=None if context.tracing is None else copy_context())
        text = "null" if result is None else compact(result)
        text.encode()  # a lone surrogate cannot be stored
        self.finishing = self.finishing or context.finished
        cell, changed, based_on = self._bench.state, context.changed_state(), 0
        if cell is not None and changed is not None:
            based_on = cell.version
            # The next handler builds on this state before it is committed. Should storage refuse it, the version
            # it builds on is refused too, and nothing of the chain takes effect.
            cell.version, cell.text = based_on + 1, changed
        return Outcome(  # at once: _replace would cost a twelfth of what a message does here
            lease.row,
            lease.fence,
            "done",
            hand.started,
            self._ran(hand),
            result=text,
            sends=tuple(context.sends),
            state=changed,
            state_version=based_on,
            metrics=tuple(context.metrics),
        )

    def _raised(self, lease: Lease, error: BaseException) -> Outcome:
        """How it ends. Its ``error`` is a plain ``str``: storage could not read an object of the users' classes."""
        try:
            outcome = self._ended_by(lease, error)
        except Exception as unusable:  # what was raised lacks what errors of its kind have: a reason, a time
            outcome = self._charged(lease, f"{short_traceback(unusable)}\n{short_traceback(error)}")
        return outcome._replace(error=outcome.error[:_ERROR_LIMIT])

    def _ended_by(self, lease: Lease, error: BaseException) -> Outcome:
        outcome = Outcome(lease.row, lease.fence, "error")
        log = self._bench.log
        if isinstance(error, RetryAfter):
            until = error.when if isinstance(error.when, int | float) else None
            at = self._bench.clock.time() + until if until is not None else error.when.timestamp()  # type: ignore[union-attr]
            log.info("%s %s given back: %s", lease.type, lease.task_id, error)
            return outcome._replace(kind="retry", not_before=float(at), error=str(error))
        if isinstance(error, RateLimitError) and not isinstance(error, BeyondBurstError):
            at = math.ceil((self._bench.clock.time() + error.retry_after) * 1000) / 1000  # as rows say it: not too soon
            return outcome._replace(kind="limited", not_before=at, error=f"rate limited: {error}")
        if isinstance(error, Refuse):
            reason = str(error.reason)
            log.warning("%s %s refused: %s", lease.type, lease.task_id, reason)
            return outcome._replace(kind="refused", error=reason)
        if isinstance(error, SquadError):
            message = str(error.message)
            more = [text for text in map(str, error.problems) if text not in message]
            text = "; ".join([message, *more, *_place(error)])[:_ERROR_LIMIT]
            return self._charged(lease, text, "timeout" if isinstance(error, CommandTimeoutError) else "error")
        return self._charged(lease, short_traceback(error))

    def _charged(self, lease: Lease, text: str, kind: str = "error") -> Outcome:
        self._bench.log.error("%s %s failed (attempt %d): %s", lease.type, lease.task_id, lease.attempt, text)
        return Outcome(lease.row, lease.fence, kind, error=text)


def short_traceback(error: BaseException) -> str:
    """The error first, then where it came from in the user's code: frames of Squad itself and above are left out."""
    lines = traceback.format_exception_only(error)
    where = traceback.format_list(_user_frames(error))
    return "".join([*lines, *where]).strip()[:_ERROR_LIMIT]


def _place(error: BaseException) -> list[str]:
    """Where in the user's code it was raised, as one line; none when it was not raised there."""
    return [f"at {frame.filename}:{frame.lineno}, in {frame.name}" for frame in _user_frames(error)[-1:]]


def _user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    def ours(frame: traceback.FrameSummary) -> bool:
        path = Path(frame.filename).resolve()
        return path.is_relative_to(_ACTORS) or path.parent == _SQUAD

    return [frame for frame in traceback.extract_tb(error.__traceback__) if not ours(frame)]
