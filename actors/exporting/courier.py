"""One exporter at work, on a thread of its own: reads what has ended, sends it, and only then says how far it is.

Whatever happens to it, or to who receives, only makes it late. What was sent and not yet said to be is sent again by
the next one, as the same spans.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from squad.actors.exporting.marks import Mark, read
from squad.actors.exporting.pace import Answer, Pace
from squad.actors.exporting.spans import Span, spans_of
from squad.clock import Clock
from squad.config.credentials import EXTRA, installed, missing
from squad.config.exporters import ExporterConfig
from squad.errors import StoreError
from squad.store import finished
from squad.store.database import Pool, ReadOnlyDatabase, open_reader
from squad.store.queries import Kept, keeper
from squad.store.times import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

_SETTLED = 1.0  # seconds that ends are left alone, in case that the clock is set back by less
_STEPPED = 0.5  # seconds by which the clock must fall behind to have been set back
_UNSEEN = 120.0  # seconds back, when it was set back while nobody looked
_READ_AGAIN = 1.0  # seconds until a database that could not be read is tried again
_AFTER_BUG = 60.0  # seconds
_LAST = 0.05  # seconds between two looks while the squad stops


class Sender(Protocol):
    def send(self, spans: Sequence[Span]) -> Answer: ...


class Place(NamedTuple):
    """Where a courier works. ``began``: from when on a new exporter sends, in seconds since the epoch. ``back_to``: see
    the function of that name."""

    name: str
    settings: ExporterConfig
    squad: str
    home: Path
    began: float
    back_to: str = ""


def back_to(kept: Kept | None, wall: float) -> str:
    """From when on what has ended is sent again, because the clock was set back while nobody looked; "": it was not.

    ``kept``: how far all exporters are, as it was before any of them begins: the first that goes on writes it anew, by
    the new clock.
    """
    was = kept is not None and iso(wall + _STEPPED) < kept.updated_at
    return iso(wall - _UNSEEN) if was else ""


class Courier(threading.Thread):
    """``moved`` is called with each new mark, ``trouble`` with what keeps it from sending, "" once it can again, and
    ``done`` at its end, when all is sent that can be; each on its thread. ``make`` makes the receiver; it may raise
    ImportError.
    """

    def __init__(  # noqa: PLR0913 - its place, and whom it tells what
        self,
        place: Place,
        make: Callable[[], Sender],
        *,
        moved: Callable[[str, Mark], None],
        trouble: Callable[[str, str], None],
        done: Callable[[str], None],
        log: logging.Logger,
        clock: Clock,
    ) -> None:
        super().__init__(name=f"export {place.name}", daemon=True)
        self._name, self._settings, self._squad, self._home, self._began, self._back_to = place
        self._make = make
        self._moved = moved
        self._trouble = trouble
        self._done = done
        self._log = log
        self._clock = clock
        self._pace = Pace()
        self._pool: Pool | None = None
        self._receiver: Sender | None = None
        self._mark: Mark | None = None
        self._version: int | None = None  # of the data that was read to its end
        self._seen = (0.0, 0.0)  # wall clock and monotonic, at the last look
        self._wrong = ""  # what it said last that is wrong
        self._rejecting = False  # the receiver has said that it throws some away
        self._stopping = threading.Event()
        self._late = threading.Event()

    def stop(self) -> None:
        """Send what is there, and end. It ends at once if it could not send before."""
        self._stopping.set()

    def give_up(self) -> None:
        """Once told to stop: end after what is being sent. What is left is sent after the next start."""
        self._late.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._clock.wait(self._stopping, self._guarded())
        while not (self._wrong or self._late.is_set()):
            pause = self._guarded(settled=0.0)
            if pause > _LAST:
                break
            self._clock.wait(self._late, pause)
        self._done(self._name)

    def _guarded(self, settled: float = _SETTLED) -> float:
        """As ``look``. A bug that shows with one exporter is no reason for the others to stop."""
        try:
            return self.look(settled)
        except Exception as error:
            if not self._wrong:
                self._log.exception("%s met a bug of Squad's", self._name)
            self._say(f"this is a bug in Squad: {type(error).__name__}: {error}")
            return _AFTER_BUG

    def look(self, settled: float = _SETTLED) -> float:
        """Send what has ended since; seconds until it wants to look again. ``settled``: how long ago, at least."""
        try:
            self._begin()
            if self._receiver is None:
                self._receiver = self._ready()
            if self._receiver is None:
                return self._settings.every
            page = self._page(settled)
        except StoreError as error:
            self._say(f"the database cannot be read: {error}")
            return _READ_AGAIN
        except ImportError as error:
            self._say(f"{error}; {EXTRA}")
            return self._settings.every
        if page is None:
            return self._settings.every
        if not page.ends:
            self._say("")
            self._go_on(page.place, again=page.open)
        elif not self._send(page):
            return self._pace.pause or 0.0
        return 0.0 if page.more else _LAST if page.open and self._stopping.is_set() else self._settings.every

    def _ready(self) -> Sender | None:
        """The receiver, once all is there that it takes."""
        if not installed():
            self._say(f"its packages are not installed: {EXTRA}")
            return None
        for key, what in missing(self._settings, os.environ):
            self._say(f"{key}: {what}; set it, and start the squad again")
            return None
        return self._make()

    # -- reading ----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Where the last one was. A new exporter has its beginning kept before anything else: whatever keeps it from
        sending, and however often it is started until it can, it sends what ends from then on."""
        if self._pool is None:
            self._pool = open_reader(self._home / "squad.db")
        if self._mark is not None:
            return
        with self._pool.connection() as database:
            kept = keeper(database).get(finished.KEY)
            self._mark = read(None if kept is None else kept.value).get(self._name)
            if self._mark is None:
                self._mark = Mark(finished.beginning(database, self._began - self._settings.backfill))
                self._moved(self._name, self._mark)

    def _page(self, settled: float) -> finished.Page | None:
        """What to send next; None: nothing was written since there was nothing."""
        assert self._pool is not None and self._mark is not None  # noqa: S101 - it has begun
        with self._pool.connection() as database:
            assert isinstance(database, ReadOnlyDatabase)  # noqa: S101 - the pool's own
            version = database.version()
            set_back = self._set_back()
            if version == self._version and not set_back:
                return None
            with database.atomic():
                until = self._clock.time() - settled
                page = finished.page(
                    database, self._mark.place, until, self._pace.size, content=self._settings.payloads
                )
        self._version = None if page.ends or page.more or page.open else version
        return page

    def _set_back(self) -> bool:
        """Whether the clock was set back since the last look. Then what ends now seems to have ended long ago: go back
        to where that begins. Some of it is sent twice."""
        wall, steady = self._clock.time(), self._clock.monotonic()
        (before, then), self._seen = self._seen, (wall, steady)
        at = self._back_to
        if before:
            at = iso(wall - (steady - then) - _SETTLED) if wall - before < steady - then - _STEPPED else ""
        assert self._mark is not None  # noqa: S101 - it has begun
        if not at or at >= self._mark.place.at:
            return False
        self._log.warning("the clock was set back: what has ended since %s may be sent twice", at)
        self._mark = self._mark.moved(self._mark.place._replace(at=at, row=0))
        return True

    # -- sending ----------------------------------------------------------------------------------------------------

    def _send(self, page: finished.Page) -> bool:
        """Whether to go on behind it."""
        assert self._receiver is not None  # noqa: S101 - look sees to it
        spans = [
            span
            for ended in page.ends
            for span in spans_of(
                ended, self._squad, content=self._settings.payloads, langfuse=self._settings.kind == "langfuse"
            )
        ]
        answer = self._receiver.send(spans)
        count = len(page.ends)
        match self._pace.after(answer, count):
            case "again":
                if self._pace.pause:
                    self._say(f"{self._settings.address}: {answer.why}")
                return False
            case "pass over":
                which = page.ends[0].task_id
                self._log.warning(
                    "%s will not have the message %s: %s; it is passed over", self._name, which, answer.why
                )
                self._go_on(page.place, skipped=count)
            case "go on":
                self._say("")
                self._warn_of(answer)
                self._go_on(page.place, sent=count)
        return True

    def _warn_of(self, answer: Answer) -> None:
        """The receiver took them, and threw some away: to send these again would be no use."""
        if answer.rejected and not self._rejecting:
            why = answer.why or "it does not say why"
            self._log.warning("%s throws spans away, %d of the last batch: %s", self._name, answer.rejected, why)
        self._rejecting = bool(answer.rejected)

    def _go_on(self, place: finished.Place, *, sent: int = 0, skipped: int = 0, again: bool = False) -> None:
        """``again``: say it even if nothing is new, so that a later time than that of the last end is in the store."""
        assert self._mark is not None  # noqa: S101 - it was read before the page
        if again or place != self._mark.place:
            self._mark = self._mark.moved(place, sent, skipped)
            self._moved(self._name, self._mark)

    def _say(self, wrong: str) -> None:
        """What is wrong, once; and once that it is well again."""
        if wrong == self._wrong:
            return
        if wrong:
            self._log.warning("%s sends nothing now, and loses nothing: %s", self._name, wrong)
        else:
            self._log.info("%s sends again", self._name)
        self._wrong = wrong
        self._trouble(self._name, wrong)
