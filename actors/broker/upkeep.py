"""When the storage tidies its database: at planned times and by hand, a few milliseconds at a time, when nobody waits.

What is done is ``squad.store.upkeep.course``. Between two slices the writer is free for several times as long as a
slice took, so that a squad at work keeps nine tenths of it; an idle one needs it less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from squad.actors import logs
from squad.actors.protocol import Address, Maintain, MaintainDone
from squad.clock import Clock
from squad.durations import format_duration
from squad.errors import StoreError
from squad.store.backend import Backend
from squad.store.upkeep.course import Course, Done, deleted, history
from squad.store.upkeep.terms import Terms

SLICE = 0.002  # seconds of work, about
_FREE_AT_WORK, _FREE_IDLE = 9.0, 1.0  # times as long as a slice took is nothing done after it
_LONGEST_DELAY = 0.25  # seconds that a slice waits for a moment in which nothing has arrived
_AT_WORK = 0.1  # seconds for which a squad counts as at work after something has arrived
_AGAIN = 60.0  # seconds until it is tried again after the database has failed
_LONGEST_SLEEP = 3600.0  # seconds after which a wall clock that was set ahead is noticed


class Upkeep:
    """Of the broker, on its thread, outside its transactions. ``due`` is when the next turn is, monotonic."""

    def __init__(self, store: Backend, terms: Terms, send: Callable[[Address, Any], None], clock: Clock) -> None:
        self._course = Course(store, clock)
        self._terms = terms
        self._send = send
        self._clock = clock
        self._orders: list[tuple[Maintain, Address]] = []
        self._worked_at = 0.0
        self._failing = False
        self.due = clock.monotonic()

    def configure(self, terms: Terms) -> None:
        """The configuration was reloaded."""
        self._terms = terms
        self.due = self._clock.monotonic()

    def order(self, order: Maintain, sender: Address) -> None:
        """Somebody wants it done now; the answer is sent from the next turn."""
        self._orders.append((order, sender))
        self.due = self._clock.monotonic()

    def turn(self, *, worked: bool, waiting: bool) -> None:
        """Do a slice if it is time. ``worked``: a round has just had something to do; ``waiting``: so will the next.
        Called after every round, so mostly it costs next to nothing."""
        now = self._clock.monotonic()
        if worked:
            self._worked_at = now
        if now < self.due or (waiting and now < self.due + _LONGEST_DELAY):
            return
        try:
            self._begin_orders()
            self.due = self._turn(now, at_work=now - self._worked_at < _AT_WORK)
            self._failing = False
        except StoreError as error:  # the broker's own rounds tell people about it; nothing of this one was done
            if not self._failing:
                logs.logger("storage").warning("maintenance is put off: %s. %s", error, error.hint)
            self._failing, self.due = True, self._clock.monotonic() + _AGAIN
            while self._orders:
                order, sender = self._orders.pop()
                self._send(sender, MaintainDone(order.request, error=error))

    def _begin_orders(self) -> None:
        while self._orders:
            order, sender = self._orders[0]
            already = self._course.progress.run is not None
            run = self._course.begin("hand", order.what)
            del self._orders[0]
            self._send(sender, MaintainDone(order.request, run.began, already))

    def _turn(self, now: float, *, at_work: bool) -> float:
        """When the next is due, monotonic."""
        course = self._course
        if course.progress.terms != self._terms or course.progress.mark is None:
            course.take(self._terms)
        if course.progress.run is None:
            planned, wall = course.next_planned(), self._clock.time()
            if planned is None:
                return now + _LONGEST_SLEEP
            if planned > wall:
                return now + min(_LONGEST_SLEEP, planned - wall)
            course.begin("schedule", "run")
        if (done := course.turn(SLICE, idle=not at_work)) is not None:
            _tell(done)
        ended = self._clock.monotonic()
        return ended + (ended - now) * (_FREE_AT_WORK if at_work else _FREE_IDLE)


def _tell(done: Done) -> None:
    removed, log = done.removed, logs.logger("storage")
    log.info(
        "maintained in %s: %d messages archived, %d deleted, %d rows of history deleted, %d bytes freed",
        format_duration(done.ended - done.began),
        removed.archived,
        deleted(removed),
        history(removed),
        done.freed,
    )
    if removed.unsent:
        log.warning(
            "%d messages left before the exporter had sent them: they were kept back for as long as the archive is, "
            "and its receiver has taken nothing. squad maintenance status",
            removed.unsent,
        )
