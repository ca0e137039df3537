"""What an agent is told of what is slow, and up to when it was told.

It is decided from the ``mark`` alone, a moment that is kept in the store: up to then everything was told. Periods
follow it, each as long as the configuration says. The message of a period is committed together with the mark at its
end, and has a key made of its beginning; so it is sent once, whoever dies in between. A period in which nothing was
slow only moves the mark.
"""

from __future__ import annotations

import json
import math

from peewee import Database

from squad.actors import logs
from squad.actors.protocol import Record, Submit
from squad.config.bottlenecks import BottlenecksConfig
from squad.ids import derived_id, new_id
from squad.messages import type_of
from squad.notices import BOTTLENECKS, Bottlenecks
from squad.store import bottlenecks
from squad.store.rows import NewTask
from squad.store.times import iso

KEY = "bottlenecks"
"""In the keeper table."""

_SETTLED = 1.0  # seconds after which what has ended is committed
_OLDEST = 86_400.0  # seconds: what was slow longer ago, while nobody was to be told, is no news
_MOST = 10  # messages that are named, and agents and types
_AHEAD = 60.0  # seconds by which the mark may be ahead of a clock that was set


class Teller:
    """``sent`` is what storage has not acknowledged yet, ``said`` when it was told last (monotonic).

    Moments are wall-clock seconds since the epoch. Whoever has it says what it returns to storage.
    """

    def __init__(self, squad: str, settings: BottlenecksConfig, kept: str | None, now: float) -> None:
        """``kept``: the text under KEY in the keeper table, None when there is none: only what comes is told then."""
        self._squad = squad
        self._settings = settings
        self.mark = max(_read(kept, now), now - _OLDEST)
        self.sent: Submit | None = None
        self.said: float | None = None
        self._then = self.mark  # the mark once ``sent`` is committed

    @property
    def due(self) -> float:
        """When the next period can be looked at."""
        return self.mark + self._settings.every + _SETTLED

    def is_due(self, now: float) -> bool:
        return now >= self.due or self._is_ahead(now)

    def keep(self) -> Record:
        """Says how far it has come."""
        return Record(put=((KEY, kept_text(self.mark)),))

    def look(self, database: Database, now: float) -> Submit | Record | None:
        """What to say to storage: the message of the periods that are over, or just their end; None before one is."""
        if self._is_ahead(now):
            logs.logger("scheduler").warning("what is slow was told up to a moment to come: the clock was set back")
            self.mark = self._then = now
            return self.keep()
        until = period_end(self.mark, self._settings.every, now - _SETTLED)
        if until is None:
            return None
        notice = self._notice(database, until, now)
        if notice is None:
            self.mark = self._then = until
            return self.keep()
        self._then = until
        name = f"{KEY}/{iso(self.mark)}"
        task = NewTask(
            derived_id(until, f"{self._squad}/{name}"),
            "scheduler",
            self._settings.tell or "",
            BOTTLENECKS,
            type_of(Bottlenecks).encode(notice),
            key=name,
        )
        self.sent = Submit(new_id(), (task,), put=((KEY, kept_text(until)),))
        return self.sent

    def answered(self, error: str) -> None:
        """Storage has committed what was sent; or could not: then it is decided anew."""
        self.sent = None
        if error:
            logs.logger("scheduler").warning("nobody is told what is slow, which is tried again: %s", error)
            return
        self.mark, self.said = self._then, None

    def _is_ahead(self, now: float) -> bool:
        return self.mark > now + _AHEAD

    def _notice(self, database: Database, until: float, now: float) -> Bottlenecks | None:
        since, least = self.mark, self._settings.slower_than
        with database.atomic():  # one snapshot for all the questions
            count = bottlenecks.count_slow(database, since, until, least_ms=least * 1000, without=BOTTLENECKS)
            running = bottlenecks.longest_running(database, _MOST, since - least, until - least, without=BOTTLENECKS)
            if not count and not running:
                return None
            tasks = bottlenecks.slowest(database, _MOST, since, until, least_ms=least * 1000, without=BOTTLENECKS)
            agents = bottlenecks.groups(database, "agent", since, until, _MOST)
            types = bottlenecks.groups(database, "type", since, until, _MOST)
        return Bottlenecks(
            since=iso(since),
            until=iso(until),
            slower_than_ms=math.ceil(least * 1000),
            count=count,
            tasks=[task.document() for task in tasks],
            running=[task.document(now) for task in running],
            agents=[group.document() for group in agents],
            types=[group.document() for group in types],
        )


def period_end(mark: float, every: float, now: float) -> float | None:
    """The end of the last period that is over: a whole number of them after the mark. None: not even the first is."""
    number = math.floor((now - mark) / every)
    return mark + number * every if number >= 1 else None


def kept_text(mark: float) -> str:
    return json.dumps({"mark": mark})


def _read(kept: str | None, now: float) -> float:
    """The mark of a text that was kept; now for none, and for one that was changed by hand."""
    try:
        mark = float(json.loads(kept or "")["mark"])
    except (ValueError, TypeError, KeyError):
        return now
    return mark if math.isfinite(mark) else now
