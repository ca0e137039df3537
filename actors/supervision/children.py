"""What the supervisor knows of each process under it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from squad.actors.agents import blackbox
from squad.actors.agents.blackbox import Hand
from squad.actors.monitoring import usage
from squad.actors.protocol import Address, Report, convoy_key
from squad.actors.supervision.restarts import RestartBudget
from squad.config.schema import AgentConfig, ConvoyConfig
from squad.ids import new_id

Kind = Literal["storage", "monitor", "gateway", "scheduler", "exporter", "agent", "worker"]
Cause = Literal[
    "crash",  # it died by itself
    "hung",  # it was silent for too long
    "start",  # it could not start, or not in time
    "ceiling",  # it took too much memory or CPU
    "timeout",  # its handler ran for too long: it left on purpose, which spends no restart
]
"""The class of a failure that ended a process."""
CORE: tuple[Kind, ...] = ("storage", "monitor", "gateway", "scheduler", "exporter")
AfterExit = Literal[
    "by budget",  # as its restart type and budget say
    "again",  # at once: somebody asked for it
    "regroup",  # once all of its group that are restarted with it have ended
    "quarantine",  # not before somebody restarts it: its group crashes again and again
    "remove",  # never: nobody wants it any more
]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a child is, as data: enough to start it, and to start it again."""

    name: str  # "checker-2"; unique in the squad
    kind: Kind
    recipient: str = ""  # whose mailbox it serves; "checker" for a worker of that convoy; "" for the core
    settings: AgentConfig | ConvoyConfig | None = None

    @property
    def core(self) -> bool:
        return self.kind in CORE

    @property
    def vital(self) -> bool:
        """The squad cannot do without it. An exporter that crashes again and again is left alone instead."""
        return self.core and self.kind != "exporter"

    @property
    def stateful(self) -> bool:
        """Only an agent has state of its own: a convoy's workers would overwrite each other's."""
        return self.kind == "agent"

    @property
    def parent(self) -> str:
        return self.recipient if self.kind == "worker" else "supervisor"


@dataclass(slots=True)
class Child:
    """One child: its specification, the process that is running it now, and its history."""

    spec: ChildSpec
    budget: RestartBudget
    state: str = "starting"
    since: float = field(default_factory=time.time)
    worker: str = ""  # this process's name in leases, new for each process
    address: Address = None
    pid: int | None = None
    restarts: int = 0
    last_error: str = ""
    last_cause: Cause | None = None  # of the last process of it that failed
    report: Report | None = None
    heard: float = 0.0  # monotonic: when it last said anything, or the row last changed
    pinged: float | None = None  # monotonic: the first ping that it has not answered
    spawned: float = 0.0  # monotonic
    created: float | None = None  # when this process was made, seconds since the epoch
    again_at: float | None = None  # when it is started again, while it is restarting; seconds since the epoch
    first: float | None = None  # monotonic: when it was first ready; its uptime counts from here
    up_seconds: float = 0.0  # of earlier processes, while they were ready
    up_since: float | None = None  # monotonic; None while it is not ready
    away_seconds: float = 0.0  # in which it was stopped or restarted on purpose
    away_since: float | None = None  # monotonic; None while it is not
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    after_exit: AfterExit = "by budget"
    throttled: bool = False  # its send rate is used up
    failed: bool = False  # its last process ended by a failure, and it has not been ready since
    finished: bool = False  # it ended in good order because its work is done
    leaving: str = ""  # why it ends on purpose; then its end is no crash
    killed_for: str = ""  # why we ended it
    cause: Cause | None = None  # by what class of failure this process ends; None: it does not, or on purpose
    started: bool = False  # it has said Started

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def running(self) -> bool:
        return self.pid is not None

    @property
    def ready(self) -> bool:
        """An exporter whose receiver takes nothing (``behind``) is well itself."""
        return self.running and self.state in ("ready", "idle", "busy", "behind")

    def new_worker(self) -> str:
        self.worker = f"{self.name}.{new_id()[-12:]}"
        return self.worker

    def forget_process(self) -> None:
        """Forget what belonged to one process before the next one."""
        self.leaving = self.killed_for = ""
        self.cause = None
        self.started = self.finished = False
        self.pinged, self.report, self.created = None, None, None

    def take_settings(self, settings: AgentConfig) -> None:
        """The configuration was reloaded. A process that needs a restart for it gets one elsewhere."""
        if self.spec.settings != settings:
            self.spec = replace(self.spec, settings=settings)
            if settings.restarts is not None:
                self.budget.follow(settings.restarts)

    def become(self, state: str) -> None:
        self.heard = now = time.monotonic()
        if state == self.state:
            return
        self.state, self.since = state, time.time()
        self.failed = self.failed and not self.ready
        if self.up_since is not None and not self.ready:
            self.up_seconds += now - self.up_since
            self.up_since = None
        elif self.up_since is None and self.ready:
            self.first, self.up_since = self.first or now, now
        if self.away_since is not None and (self.ready or self.failed or state == "quarantined"):
            self.away_seconds += now - self.away_since
            self.away_since = None
        elif self.away_since is None and self.first is not None and self._leaves_on_purpose:
            self.away_since = now  # until it is ready again, or fails to be

    @property
    def _leaves_on_purpose(self) -> bool:
        return self.state == "stopped" or (self.state == "draining" and self.after_exit != "regroup")

    def uptime(self) -> float | None:
        """Percent of the time since it was first ready in which it was ready to handle; None before that."""
        if self.first is None:
            return None
        now = time.monotonic()
        return 100.0 * self.up_until(now) / max(now - self.first, 1e-9)

    def up_until(self, now: float) -> float:
        """Seconds in which it was ready so far."""
        return self.up_seconds + (0.0 if self.up_since is None else now - self.up_since)

    def away_until(self, now: float) -> float:
        """Seconds in which it was stopped or restarted on purpose so far."""
        return self.away_seconds + (0.0 if self.away_since is None else now - self.away_since)

    def gone(self) -> bool:
        """Whether its process has ended. It is our own child: until it is reaped its pid is nobody else's."""
        if self.pid is None:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def kill(self, why: str) -> None:
        """End the process at once, also when it is stopped or hung."""
        if self.pid is not None and not self.gone():
            self.killed_for = self.killed_for or why
            os.kill(self.pid, signal.SIGKILL)

    def condemn(self, why: str, cause: Cause, *, all_below: bool = False) -> None:
        """The same, for a failure of its own: that is its last error then. ``all_below``: as ``kill_all``."""
        self.last_error = why
        already = self.killed_for
        (self.kill_all if all_below else self.kill)(why.splitlines()[0])
        if self.killed_for and not already:
            self.cause = cause

    def classify(self) -> None:
        """Its process is gone: one that ended neither on purpose nor by us has crashed."""
        if self.cause is None and not self.leaving:
            self.cause = "crash"
        self.last_cause = self.cause or self.last_cause

    def kill_all(self, why: str) -> None:
        """As ``kill``, with every process below it: they would go on without it."""
        below = usage.descendants(self.pid) if self.pid is not None else []
        self.kill(why)
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def now_throttled(self) -> bool:
        """True once each time that its send rate is used up; it must have been idle with a token in between."""
        if self.report is None or self.report.tokens is None:
            return False
        before = self.throttled
        if self.report.tokens < 1:
            self.throttled = True
        elif self.report.state == "idle":
            self.throttled = False
        return self.throttled and not before

    def hand(self, hands: Path) -> Hand | None:
        """What its handler is at, from its black box: known however deaf the process is."""
        return blackbox.read(hands, self.worker) if self.running and not self.spec.core else None


@dataclass(slots=True)
class Convoy:
    """A pool behind one name: how many workers it should have, and why."""

    name: str
    settings: ConvoyConfig
    size: int
    reason: str = "at its start"
    pinned: bool = False
    stopped: bool = False  # left out at the start, until it is restarted by name

    def take_settings(self, settings: ConvoyConfig) -> None:
        """The configuration was reloaded: its size must be within the new bounds."""
        self.settings = settings
        size = max(settings.min, min(settings.max, self.size))
        if size != self.size:
            self.size, self.reason = size, "its bounds changed"

    def kept(self) -> tuple[str, str]:
        """What to keep of it in the store, so that a size set by hand outlives restarts."""
        return convoy_key(self.name), json.dumps({"size": self.size if self.pinned else None})

    def recall(self, text: str) -> None:
        """Take up what was kept; the configuration's bounds may have changed since."""
        size = json.loads(text)["size"]
        if size is not None:
            self.size = max(self.settings.min, min(self.settings.max, size))
            self.reason, self.pinned = "set by hand", True

    def spec(self, number: int) -> ChildSpec:
        return ChildSpec(f"{self.name}-{number}", "worker", self.name, self.settings)
