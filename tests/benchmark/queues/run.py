"""One queue at work: what is sent to it, what is measured of it, and whether all of it was done."""

from __future__ import annotations

import math
import signal
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import psutil

from tests.benchmark.queues.contest import Journal, Queue, Task, task

Figures = dict[str, float]

_START = 60.0  # seconds until the first tasks are handled
_ENOUGH = 10.0  # seconds for the others of the workers to handle one as well
_SETTLE = 0.3  # seconds after the last task in which one that is handled twice would still show
_AGAIN = 2.0  # seconds until a call that swallowed the error of a time limit gets it once more
_LOOK = 0.002  # seconds between two looks at the journal


@dataclass(frozen=True)
class Scale:
    """How much of everything. The defaults are those of the published figures."""

    tasks: int = 20_000
    seconds: float = 10.0  # of latency; 0 leaves it out
    rate: float = 100.0  # tasks a second, likewise
    workers: int = 4
    poll: float = 0.005  # seconds
    limit: float = 120.0  # seconds for one measurement


class RefusedFigureError(Exception):
    """The work was not done as it was ordered, so what was measured means nothing."""


class Run:
    """One contestant at work: numbers its tasks, so that afterwards each can be looked for."""

    def __init__(self, queue: Queue, journal: Journal, scale: Scale) -> None:
        self._queue = queue
        self._journal = journal
        self._scale = scale
        self._sent = 0

    def tasks(self, count: int) -> list[Task]:
        first, self._sent = self._sent, self._sent + count
        return [task(number) for number in range(first, self._sent)]

    def all(self, count: int) -> tuple[Figures, int]:
        """Every figure, throughput's of so many tasks, and how many workers had a part in the warm-up."""
        with time_limit(_START + _ENOUGH):
            workers = self.warm_up()
        figures: Figures = {}
        if self._scale.seconds:
            with time_limit(self._scale.seconds + self._scale.limit):
                figures |= self.latency()
        with time_limit(self._scale.limit + _START):
            figures |= self.throughput(count)
        self.verify()
        return figures, workers

    def warm_up(self) -> int:
        """Send tasks until every worker has handled one, or the others leave none for it; how many workers did."""
        until = time.monotonic() + _START
        enough = math.inf
        while True:
            for each in self.tasks(self._scale.workers * 4):
                self._queue.send(each)
                time.sleep(0.01)
            self.wait(until)
            workers = len({handled.worker for handled in self._journal.read()})
            enough = min(enough, time.monotonic() + _ENOUGH)
            if workers >= self._scale.workers or time.monotonic() > enough:
                return workers

    def latency(self) -> Figures:
        """From just before a task is enqueued, every 1/rate seconds, until its handler begins."""
        tasks = self.tasks(round(self._scale.seconds * self._scale.rate))
        sent: dict[int, float] = {}
        before = self._cpu()
        began = time.monotonic()
        for place, each in enumerate(tasks):
            time.sleep(max(0.0, began + place / self._scale.rate - time.monotonic()))
            sent[each["number"]] = time.monotonic()
            self._queue.send(each)
        took = time.monotonic() - began
        spent = self._cpu() - before
        self.wait(time.monotonic() + self._scale.limit)
        delays = sorted((each.at - sent[each.number]) * 1000 for each in self._journal.read() if each.number in sent)
        return {
            "p50_ms": statistics.median(delays),
            "p99_ms": delays[min(len(delays) - 1, int(len(delays) * 0.99))],
            "cpu_percent_at_rate": 100 * spent / took,
            "sent_per_second": len(tasks) / took,
        }

    def throughput(self, count: int) -> Figures:
        """From just before the first task is enqueued until the last is done and recorded as done."""
        tasks = self.tasks(count)
        before = self._cpu()
        began = time.monotonic()
        self._queue.send_many(tasks)
        self.wait(began + self._scale.limit)
        took = time.monotonic() - began
        return {"tasks_per_second": count / took, "cpu_us_per_task": (self._cpu() - before) / count * 1e6}

    def wait(self, until: float) -> None:
        """Until all that was sent is handled, and recorded as done by a queue that records it."""
        while len(self._journal) < self._sent:
            self._check(until, len(self._journal), "handled")
            time.sleep(_LOOK)
        while (done := self._queue.completed()) is not None and done < self._sent:
            self._check(until, done, "recorded as done")
            time.sleep(_LOOK)

    def _check(self, until: float, count: int, what: str) -> None:
        if time.monotonic() > until:
            raise RefusedFigureError(f"only {count:,} of {self._sent:,} tasks were {what} in time")

    def verify(self) -> None:
        """Raises RefusedFigureError unless every task was handled exactly once."""
        time.sleep(_SETTLE)
        times = Counter(each.number for each in self._journal.read())
        never = sum(times[number] == 0 for number in range(self._sent))
        often = sum(count > 1 for count in times.values())
        if never or often or len(times) != self._sent:
            raise RefusedFigureError(f"of {self._sent:,} tasks {often:,} were handled twice or more, {never:,} never")

    def _cpu(self) -> float:
        """Seconds of processor time that this process and the queue's have used so far."""
        total = time.process_time()
        for pid in self._queue.processes():
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise RefusedFigureError in the block when it takes longer, even inside a call that does not come back."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise RefusedFigureError(f"not done within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)
