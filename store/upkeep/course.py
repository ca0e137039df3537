"""The course of one maintenance: step by step, in slices of a few milliseconds, remembered in the database.

Each slice is one transaction, in which the place where the next goes on is written as well: whoever is killed in the
middle has moved nothing by half, and who comes after goes on there. A planned time is dealt with when its run begins,
which is written likewise, so it comes once however often the squad is started.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from squad.clock import Clock
from squad.events import Event, event
from squad.store.backend import Backend
from squad.store.retention import START, STEPS, Limits, Place, Removed
from squad.store.upkeep.terms import Terms

KEY = "maintenance"  # in the keeper table

What = Literal["run", "prune"]
Why = Literal["schedule", "hand"]

_TIDY = ("vacuum", "checkpoint")
_MOST_ROWS = 32  # in one statement
_PAGES = 16  # likewise
_SPARE = 0.1  # of the pages may be free: they are used again


@dataclass(slots=True)
class Run:
    """One that is under way. ``began`` is in seconds since the epoch, and what is old is reckoned from then.

    ``working`` are the seconds that its slices have taken, ``size`` the bytes of the database at its beginning.
    """

    why: Why
    what: What
    began: float
    size: int = 0
    step: str = STEPS[0]
    after: Place = START
    removed: Removed = field(default_factory=Removed)
    working: float = 0.0

    @property
    def steps(self) -> tuple[str, ...]:
        return STEPS if self.what == "prune" else (*STEPS, *_TIDY)

    def next_step(self) -> None:
        """``step`` is "" when there is none."""
        steps = (*self.steps, "")
        self.step, self.after = steps[steps.index(self.step) + 1], START


@dataclass(slots=True)
class Done:
    """One that is over; ``freed`` are bytes by which the file has shrunk."""

    why: Why
    what: What
    began: float
    ended: float
    working: float
    size: int
    freed: int
    removed: Removed


@dataclass(slots=True)
class Progress:
    """What the database remembers. ``mark``: up to then all planned times are dealt with, seconds since the epoch."""

    terms: Terms = field(default_factory=Terms)
    mark: float | None = None
    run: Run | None = None
    last: Done | None = None

    def text(self) -> str:
        return json.dumps(asdict(self) | {"terms": self.terms._asdict()})


def read(text: str | None) -> Progress:
    """From what is kept. What cannot be read (somebody has edited it) is as if there had been nothing."""
    try:
        kept: dict[str, Any] = json.loads(text or "{}")
        run, last = kept.get("run"), kept.get("last")
        return Progress(
            terms=Terms(**kept.get("terms", {})),
            mark=kept.get("mark"),
            run=Run(**run | {"after": tuple(run["after"]), "removed": _removed(run["removed"])}) if run else None,
            last=Done(**last | {"removed": _removed(last["removed"])}) if last else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Progress()


def _removed(kept: dict[str, Any]) -> Removed:
    return Removed(dict(kept["rows"]), kept["archived"], kept["dead"], kept["unsent"])


class Course:
    """See the module. ``progress`` is what is committed."""

    def __init__(self, store: Backend, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rows = 8  # of the next statement: as many as are quick
        self.progress = read(store.get(KEY))

    def take(self, terms: Terms) -> None:
        """The configuration says so from now on. The first time planned times begin to count."""
        changed = copy.copy(self.progress)
        changed.terms = terms
        changed.mark = self._clock.time() if changed.mark is None else changed.mark
        if changed != self.progress:
            self._commit(changed)

    def next_planned(self) -> float | None:
        """The first planned time that is not dealt with, seconds since the epoch; it may have passed."""
        times, mark = self.progress.terms.timetable(), self.progress.mark
        return None if times is None or mark is None else times.after(mark)

    def begin(self, why: Why, what: What) -> Run:
        """Begin one; the one that is under way, if there is one. What is planned up to now is dealt with by it."""
        if self.progress.run is None:
            now = self._clock.time()
            pages = self._store.tidying.pages()
            changed = copy.copy(self.progress)
            changed.run = Run(why, what, now, size=pages.total * pages.size)
            if why == "schedule":
                changed.mark = max(now, changed.mark or now)
            self._commit(changed)
        assert self.progress.run is not None  # noqa: S101 - begun a moment ago
        return self.progress.run

    def turn(self, budget: float, *, idle: bool = True) -> Done | None:
        """Work for about ``budget`` seconds on what is under way; the whole of it when that was the last of it.

        ``idle``: nobody is waiting just now. Raises StoreError; then nothing of this turn is done.
        """
        changed = copy.deepcopy(self.progress)
        run = changed.run
        if run is None:
            return None
        began = self._clock.monotonic()
        if run.step == "checkpoint":
            if self._store.tidying.checkpoint() and idle:
                self._store.tidying.checkpoint(truncate=True)
            run.next_step()
        limits = changed.terms.limits(run.began, self._store.get)
        with self._store.transaction():
            while run.step not in ("checkpoint", ""):
                self._portion(run, limits, budget)
                if self._clock.monotonic() - began >= budget:
                    break
            run.working += self._clock.monotonic() - began
            if not run.step:
                changed.run, changed.last = None, self._over(run)
            self._put(changed)
        self.progress = changed
        return changed.last if changed.run is None else None

    def _portion(self, run: Run, limits: Limits, budget: float) -> None:
        if run.step == "vacuum":
            total, free, _ = self._store.tidying.pages()
            if free > total * _SPARE:
                self._store.tidying.give_back(_PAGES)
            if free <= total * _SPARE or self._store.tidying.pages().free == free:
                run.next_step()
            return
        began = self._clock.monotonic()
        removed, after = self._store.tidying.retire(run.step, run.after, limits, self._rows)
        run.removed.add(removed)
        if after is None:
            run.next_step()
        else:
            run.after = after
        took = self._clock.monotonic() - began
        if took > budget:  # large rows: a few of them at a time
            self._rows = max(1, self._rows // 2)
        elif took < budget / 4:
            self._rows = min(_MOST_ROWS, self._rows * 2)

    def _over(self, run: Run) -> Done:
        """In the transaction: it is recorded with its end."""
        pages = self._store.tidying.pages()
        size, now = pages.total * pages.size, self._clock.time()
        done = Done(run.why, run.what, run.began, now, run.working, size, max(0, run.size - size), run.removed)
        self._store.record_events([recorded(done)], now)
        return done

    def _commit(self, changed: Progress) -> None:
        with self._store.transaction():
            self._put(changed)
        self.progress = changed

    def _put(self, changed: Progress) -> None:
        self._store.put([(KEY, changed.text())], self._clock.time())


def recorded(done: Done) -> Event:
    """The event that says it."""
    return event(
        "maintained",
        "storage",
        why=done.why,
        what=done.what,
        archived=done.removed.archived,
        deleted=deleted(done.removed),
        dead=done.removed.dead,
        unsent=done.removed.unsent,
        history=history(done.removed),
        freed=done.freed,
        seconds=round(done.ended - done.began, 3),
    )


def deleted(removed: Removed) -> int:
    """Messages that are gone for good."""
    return removed.of("tasks") - removed.archived + removed.of("tasks_archive")


def history(removed: Removed) -> int:
    """Rows that were no messages and no attempts."""
    of_messages = ("tasks", "attempts", "tasks_archive", "attempts_archive")
    return sum(number for table, number in removed.rows.items() if table not in of_messages)
