"""One run of the fault kit: a squad at work, killed again and again, and then the check of its books."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from squad.errors import SquadError, StoreError
from squad.store.database import open_reader
from squad.store.models import Task
from squad.verify import ledger, runs, steadiness, strikes
from squad.verify.ledger import Account
from squad.verify.producer import Journal, Producer, Sent
from squad.verify.recovery import Recovery, Times
from squad.verify.steadiness import Growth
from squad.verify.strikes import TWENTY, Strike
from squad.verify.targets import ALL, Target, Targets
from squad.verify.throwaway import POLL, Throwaway
from squad.verify.workload import configuration

_PRODUCERS = 2
_MOST_SENDS = 40_000  # in a long run, so that the books can be held in memory
_CROWD = 400  # messages that wait above which producers pause
_LOOK = 0.5  # seconds between two looks at how many wait
_NEWS = 5.0  # seconds between two lines of progress
_DRIZZLE = 0.2  # part of the kills that hit agents and workers alone, at the end, while the core is watched
_BURST = 0.1  # part of the strikes that follow the one before at once
_RECOVERS = 0.75  # part of the strikes at a root after which the next one waits until the squad is ready again
_COMES_BACK = 30.0  # seconds that it waits at most
_APPEARS = 20.0  # seconds that a strike waits for a process of its kind
_DRAINS = 300.0  # seconds for what was acknowledged to end


@dataclass(frozen=True, slots=True)
class Plan:
    """``kills`` processes are killed along ``seconds``; ``rounds`` kills measure each recovery."""

    seed: int
    seconds: float
    kills: int
    rounds: int

    @property
    def gap(self) -> float:
        """Seconds between two strikes, on average."""
        strikes_, killed = strikes.killed_per_round()
        number = self.kills * ((1 - _DRIZZLE) * strikes_ / killed + _DRIZZLE)
        return self.seconds / max(1.0, number)


@dataclass(slots=True)
class Report:
    """What came of it. ``violations`` are sentences; without any the verdict is good. Times in seconds."""

    plan: Plan
    seconds: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)  # by kind of process
    frozen: int = 0
    missed: int = 0  # strikes for which no process of their kind appeared
    starts: int = 0  # of the launcher
    resent: int = 0  # requests made again because no answer came
    account: Account = field(default_factory=Account)
    recovery: dict[str, Times] = field(default_factory=dict)
    growth: list[Growth] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.violations


def verify(plan: Plan, folder: Path, told: Callable[[str], None]) -> Report:
    """Run the kit in ``folder``, which is empty. ``told`` hears of its progress. For the main thread.

    Nothing of the squad runs any more when it returns or raises. Raises StartError when the squad does not start.
    """
    report = Report(plan)
    began = time.monotonic()
    work = folder / "work"
    work.mkdir(mode=0o700)
    with Throwaway(folder, configuration(work)) as squad:
        try:
            _Trial(plan, squad, work, report, told).run()
        except SquadError as error:
            report.violations.append(f"the run was broken off: {error}")
        report.starts = squad.starts
    report.violations += squad.left()
    told("checking the books")
    sent = Sent()
    for path in sorted(work.glob("*.journal")):
        sent.read(path)
    report.account = ledger.check(squad.home.database, sent, runs.read(work))
    report.violations += report.account.violations
    report.seconds = time.monotonic() - began
    return report


class _Trial:
    def __init__(self, plan: Plan, squad: Throwaway, work: Path, report: Report, told: Callable[[str], None]) -> None:
        self._plan = plan
        self._squad = squad
        self._work = work
        self._report = report
        self._told = told
        self._chance = random.Random(f"{plan.seed}/bursts")  # noqa: S311 - to be repeatable
        self._frozen: list[tuple[float, Target]] = []  # when each is let go on
        self._waiting = 0
        self._looked = 0.0
        self._said = 0.0
        self._producers: list[Producer] = []

    def run(self) -> None:
        with contextlib.closing(Journal(self._work / "recovery.journal")) as journal:
            measuring = Recovery(self._squad, journal, self._plan.rounds, self._told)
            self._report.recovery = measuring.measure()
            self._report.killed["for the recovery times"] = measuring.killed
        self._squad.until_ready()
        self._produce()
        try:
            self._storms()
            self._thaw(everything=True)
            self._settle()
        finally:
            self._thaw(everything=True)
            self._dismiss()
        self._report.violations += self._squad.stop()

    # -- work -------------------------------------------------------------------------------------------------------

    def _produce(self) -> None:
        for number in range(_PRODUCERS):
            path = self._work / f"{number}.journal"
            home, seed = self._squad.home, str(self._plan.seed)
            producer = Producer(home, path, seed, (number, _PRODUCERS), lambda: self._waiting > _CROWD)
            producer.pace = max(producer.pace, self._plan.seconds * _PRODUCERS / _MOST_SENDS)
            self._producers.append(producer)
            producer.start()

    def _settle(self) -> None:
        """Wait until everything that was acknowledged has ended."""
        self._told("waiting until everything has ended")
        for producer in self._producers:
            producer.stop()
        self._squad.until(lambda: not self._living(), "the last answers", _DRAINS)
        self._squad.until(lambda: self._unended() == 0, "every message to end", _DRAINS)

    def _dismiss(self) -> None:
        for producer in self._producers:
            producer.abandon()
            producer.join()
            self._report.resent += producer.resent
            if producer.error:
                self._report.violations.append(producer.error)

    def _living(self) -> bool:
        return any(producer.is_alive() for producer in self._producers)

    def _unended(self) -> int | None:
        """How many messages wait or run; None when that cannot be read now."""
        try:
            with open_reader(self._squad.home.database) as pool, pool.connection() as database:
                return int(Task.select().where(Task.completed_at.is_null()).count(database))
        except StoreError:
            return None

    # -- kills ------------------------------------------------------------------------------------------------------

    def _storms(self) -> None:
        seed, gap, kills = str(self._plan.seed), self._plan.gap, self._plan.kills
        self._strike_until(strikes.storm(seed, gap), round(kills * (1 - _DRIZZLE)))
        self._told("agents and workers alone from now on, while the processes above them are watched")
        self._thaw(everything=True)
        self._squad.until_ready()
        drizzle = strikes.drizzle(seed, gap)
        warming = list(islice(drizzle, 2))  # the first reading is of processes that have worked
        self._strike_until(chain(warming), kills)
        self._squad.until_ready()
        first = steadiness.read(self._squad.home.path)
        self._strike_until(drizzle, kills)
        self._squad.until_ready()
        self._report.growth = steadiness.compare(first, steadiness.read(self._squad.home.path))
        self._report.violations += [text for growth in self._report.growth for text in growth.complaints()]

    def _strike_until(self, plan: Iterator[Strike], kills: int) -> None:
        already = self._report.killed["for the recovery times"]
        for strike in plan:
            if self._report.killed.total() - already >= kills:
                return
            self._wait(0.0 if self._chance.random() < _BURST else strike.gap)
            self._strike(strike)
            if strike.kind in strikes.ROOTS and self._chance.random() < _RECOVERS:
                deadline = time.monotonic() + _COMES_BACK
                while not self._squad.ready() and time.monotonic() < deadline:
                    self._wait(10 * POLL)

    def _strike(self, strike: Strike) -> None:
        deadline = time.monotonic() + _APPEARS
        while not self._hit(strike):
            if time.monotonic() > deadline:
                self._report.missed += 1
                return
            self._wait(POLL)

    def _hit(self, strike: Strike) -> bool:
        kinds = ALL if strike.kind in ("twenty", "everything") else (strike.kind,)
        with Targets(self._squad.home.path, kinds) as found:
            chosen = self._chosen(found, strike)
            for target in chosen:
                if strike.freeze:
                    self._freeze(target, strike.freeze)
                elif target.hit(signal.SIGKILL):
                    self._report.killed[target.kind] += 1
            for target in chosen if strike.freeze else ():
                found.remove(target)  # it stays held until it is let go on
        return bool(chosen)

    def _chosen(self, found: list[Target], strike: Strike) -> list[Target]:
        if strike.kind == "everything":
            return list(found)
        if strike.kind == "twenty":
            order = random.Random(strike.pick)  # noqa: S311 - to be repeatable
            return order.sample(found, TWENTY) if len(found) >= TWENTY else []
        if strike.kind in ("agent", "worker", "command"):
            return found[int(strike.pick * len(found)) :][:1]
        return found[:1]  # the oldest: what was just forked from it still bears its name

    def _freeze(self, target: Target, seconds: float) -> None:
        if target.hit(signal.SIGSTOP):
            self._report.frozen += 1
        self._frozen.append((time.monotonic() + seconds, target))

    def _thaw(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        for item in [item for item in self._frozen if everything or item[0] <= now]:
            self._frozen.remove(item)
            with item[1] as target:
                target.hit(signal.SIGCONT)

    # -- time -------------------------------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        """Let time pass, and see to what is due meanwhile."""
        until = time.monotonic() + seconds
        while True:
            self._squad.revive()
            self._thaw()
            now = time.monotonic()
            if now - self._looked > _LOOK:
                self._looked = now
                self._waiting = self._unended() or 0
            if now - self._said > _NEWS:
                self._said = now
                self._told(self._progress())
            if (left := until - time.monotonic()) <= 0:
                return
            time.sleep(min(POLL * 2, left))

    def _progress(self) -> str:
        already = self._report.killed["for the recovery times"]
        killed = self._report.killed.total() - already
        acknowledged = sum(producer.acknowledged for producer in self._producers)
        return (
            f"{killed:,} of {self._plan.kills:,} kills; {acknowledged:,} messages acknowledged, {self._waiting:,} wait"
        )
