"""The scheduler: sends the messages of the configuration's schedules when their time comes, and tells an agent what is
slow.

What it decides with is pure (``planning``). Its memory is a row of the keeper table for each schedule, which storage
commits in the same transaction as the message of a run. So it may die at any moment, or hear of a commit late or never:
whoever starts again from that row neither forgets a run nor repeats one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from squad.actors import logs
from squad.actors.base import Actor, receives
from squad.actors.protocol import (
    Address,
    Begin,
    Drain,
    Drained,
    Held,
    Ping,
    Pong,
    Record,
    Report,
    Started,
    StorageAt,
    Submit,
    SubmitDone,
)
from squad.actors.scheduling.bottlenecks import KEY as BOTTLENECKS
from squad.actors.scheduling.bottlenecks import Teller
from squad.actors.scheduling.planning import ON_TIME, Gap, Planner
from squad.actors.scheduling.schedules import Kept, keeper_key, line_of, task
from squad.config.schedules import ScheduleConfig
from squad.cron import Timetable
from squad.durations import format_duration
from squad.errors import StoreError
from squad.events import event
from squad.ids import new_id
from squad.store import queries
from squad.store.database import open_reader
from squad.store.holds import KEY, Holds
from squad.store.times import iso

_LONGEST_SLEEP = 30.0  # seconds: a clock that was set anew is noticed before what it jumped over counts as missed
_SHORTEST_SLEEP = 0.001
_SAY_AGAIN = 5.0  # seconds after which storage is told again what it did not answer, or refused
_READ_AGAIN = 1.0  # seconds until a database that could not be read is tried again


@dataclass(slots=True)
class _Schedule:
    """One schedule at work. ``kept`` is what storage has, or has been told; a run counts once it is committed."""

    name: str
    settings: ScheduleConfig
    planner: Planner
    kept: Kept
    told: float  # gaps up to here are recorded
    sent: _Sent | None = None
    refused: float | None = None  # monotonic: when storage could not take a run; None since it took one


@dataclass(slots=True)
class _Sent:
    """A run that is not acknowledged yet."""

    submit: Submit
    then: Kept  # what is kept once it is committed
    at: float  # monotonic: when storage was told last


class Scheduler(Actor):
    """See the module. There is one exactly while the configuration has something for it (``SquadConfig.timed``)."""

    longest_sleep = _LONGEST_SLEEP

    def __init__(self) -> None:
        super().__init__()
        self._schedules: list[_Schedule] = []
        self._teller: Teller | None = None
        self._draining = False
        self._frozen = False  # what falls due meanwhile is missed, as if the squad were stopped

    @receives(Begin)
    def on_begin(self, msg: Begin, sender: Address) -> None:
        self._supervisor, self._worker, self._config = sender, msg.worker, msg.config
        self._storage = msg.storage
        self._home = Path(msg.home)
        self.set_title("scheduler")
        self.log_to(self._home, "scheduler", msg.config.logging)
        self._log = logs.logger("scheduler")
        self.tell(sender, Started(self._worker))
        self._take_up()

    def _take_up(self) -> None:
        """Go on from what is kept of each schedule."""
        try:
            with open_reader(self._home / "squad.db") as pool, pool.connection() as database:
                kept = {key: row.value for key, row in queries.keeper(database).items()}
        except StoreError as error:
            self._log.warning("cannot read when the schedules ran last: %s", error)
            self.after(_READ_AGAIN, "take up")
            return
        self._frozen = Holds.read(kept.get(KEY)).frozen is not None
        now = self.clock.time()
        for name, settings in self._config.schedules.items():
            text = kept.get(keeper_key(name))
            schedule = self._made(name, settings, text, now)
            self._schedules.append(schedule)
            if schedule.kept.text() != text:
                self._keep(schedule)
        if self._config.bottlenecks.tell is not None:
            self._teller = Teller(self._config.name, self._config.bottlenecks, kept.get(BOTTLENECKS), now)
            if BOTTLENECKS not in kept:
                self.tell(self._storage, self._teller.keep())
        self.tell(self._supervisor, Report(self._worker, "ready"))
        self._wake()

    def _made(self, name: str, settings: ScheduleConfig, text: str | None, now: float) -> _Schedule:
        kept = None if text is None else Kept.read(text)
        if kept is None:  # it is new: only what comes from now on is its
            kept = Kept(now, line_of(settings))
        if kept.line != line_of(settings):  # times that it did not have yet cannot have been missed
            kept = replace(kept, mark=max(kept.mark, now), line=line_of(settings))
        if kept.mark > now + ON_TIME:
            self._log.warning(
                "%s does nothing before %s: it has run up to then, so the clock was set back. If it was wrong before, "
                "give the schedule another name: it begins anew",
                name,
                iso(kept.mark),
            )
        times = Timetable(settings.cron, settings.timezone)
        return _Schedule(name, settings, Planner(times, settings.missed, settings.at_most), kept, kept.mark)

    def _keep(self, schedule: _Schedule) -> None:
        self.tell(self._storage, Record(put=((keeper_key(schedule.name), schedule.kept.text()),)))

    # -- time -------------------------------------------------------------------------------------------------------

    def on_timer(self, token: Any) -> None:
        if token == "take up":  # noqa: S105 - the name of a timer
            self._take_up()
        elif not self._draining:
            self._wake()

    def _wake(self) -> None:
        """Do what is due, and sleep until something is."""
        for schedule in self._schedules:
            if schedule.sent is not None and self.clock.monotonic() - schedule.sent.at >= _SAY_AGAIN:
                self._say(schedule.sent)
            self._step(schedule)
        self._tell_what_is_slow()
        now = self.clock.time()
        planned = (schedule.planner.times.after(max(schedule.kept.mark, now)) for schedule in self._schedules)
        pause = min([self.longest_sleep, *(at - now for at in planned if at is not None)])
        if any(schedule.sent is not None or schedule.refused is not None for schedule in self._schedules):
            pause = min(pause, _SAY_AGAIN)
        if self._teller is not None:
            pause = min(pause, self._teller.due - now if self._teller.said is None else _SAY_AGAIN)
        self.after(max(pause, _SHORTEST_SLEEP), "wake")

    def _step(self, schedule: _Schedule) -> None:
        """Do what is due of one schedule: a message at a time, so that a mailbox that is full is asked once."""
        if self._frozen:
            return
        if schedule.refused is not None and self.clock.monotonic() - schedule.refused < _SAY_AGAIN:
            return
        while schedule.sent is None:
            decision = schedule.planner.decide(schedule.kept.mark, self.clock.time(), schedule.told)
            if decision.gap is not None:
                self._tell_of(schedule, decision.gap, made_up=decision.run is not None)
            if decision.run is not None:
                row = task(self._config.name, schedule.name, schedule.settings, decision.run)
                then = schedule.kept.ran(decision.run, row.task_id)
                submit = Submit(new_id(), (row,), put=((keeper_key(schedule.name), then.text()),))
                schedule.sent = _Sent(submit, then, 0.0)
                self._say(schedule.sent)
            elif decision.mark > schedule.kept.mark:
                schedule.kept = replace(schedule.kept, mark=decision.mark)
                self._keep(schedule)
            else:
                return

    def _tell_what_is_slow(self) -> None:
        """Once a period is over; and again while storage does not answer."""
        teller, tick = self._teller, self.clock.monotonic()
        if teller is None or self._frozen or (teller.said is not None and tick - teller.said < _SAY_AGAIN):
            return
        said: Submit | Record | None = teller.sent
        if said is None:
            if not teller.is_due(self.clock.time()):
                return
            try:
                with open_reader(self._home / "squad.db") as pool, pool.connection() as database:
                    said = teller.look(database, self.clock.time())
            except StoreError as error:
                self._log.warning("cannot read what is slow: %s", error)
                teller.said = tick
                return
        teller.said = tick if teller.sent is not None else None
        if said is not None:
            self.tell(self._storage, said)

    def _say(self, sent: _Sent) -> None:
        sent.at = self.clock.monotonic()
        self.tell(self._storage, sent.submit)

    def _tell_of(self, schedule: _Schedule, gap: Gap, *, made_up: bool) -> None:
        schedule.told = gap.last
        span = format_duration(schedule.settings.at_most)
        match schedule.settings.missed:
            case "skip":
                action = "they are skipped"
            case _ if not made_up:
                action = f"they are skipped: all are more than {span} ago"
            case "once":
                action = "the last one is made up for"
            case "all":
                action = f"those of the last {span} are made up for"
        first, last = iso(gap.first), iso(gap.last)
        self._log.warning("%s has missed runs: %d from %s to %s; %s", schedule.name, gap.count, first, last, action)
        missed = event("schedule_missed", schedule.name, missed=gap.count, first=first, last=last, action=action)
        self.tell(self._storage, Record(events=(missed,)))

    # -- what the other actors say ----------------------------------------------------------------------------------

    @receives(SubmitDone)
    def on_submit_done(self, msg: SubmitDone, sender: Address) -> None:
        if self._teller is not None and self._teller.sent is not None and self._teller.sent.request == msg.request:
            self._teller.answered(msg.error)
            return
        for schedule in self._schedules:
            if schedule.sent is not None and schedule.sent.submit.request == msg.request:
                break
        else:
            return  # said twice and answered twice
        sent, schedule.sent = schedule.sent, None
        if msg.error:  # decided anew after a while: it may be a missed run by then
            if schedule.refused is None:
                self._log.warning("%s cannot send its message, and tries again: %s", schedule.name, msg.error)
            schedule.refused = self.clock.monotonic()
            return
        schedule.kept, schedule.refused = sent.then, None
        if not self._draining:
            self._step(schedule)

    @receives(StorageAt)
    def on_storage_at(self, msg: StorageAt, sender: Address) -> None:
        """What the storage before this one may not have committed is said again."""
        self._storage = msg.address
        if self._teller is not None:
            self.tell(self._storage, self._teller.sent or self._teller.keep())
        for schedule in self._schedules:
            if schedule.sent is None:
                self._keep(schedule)
            else:
                self._say(schedule.sent)

    @receives(Held)
    def on_held(self, msg: Held, sender: Address) -> None:
        """When the squad thaws, what fell due meanwhile is dealt with as the schedules say."""
        self._frozen = Holds.read(msg.holds).frozen is not None
        if not self._draining:
            for schedule in self._schedules:
                self._step(schedule)
            self._tell_what_is_slow()

    @receives(Ping)
    def on_ping(self, msg: Ping, sender: Address) -> None:
        self.tell(sender, Pong(msg.number, self._worker))

    @receives(Drain)
    def on_drain(self, msg: Drain, sender: Address) -> None:
        """Whether what is under way is committed or not, the next start knows it from the store."""
        self._draining = True
        self.tell(sender, Drained(self._worker))
