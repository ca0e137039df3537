"""The supervisor: owns, starts, watches and restarts every other actor of the squad.

It runs no user code, has one thread (it forks), and is the only actor with children. This is its actor: it passes news
on to ``lifecycle`` (starts, ends, restarts), ``health``, ``shutdown`` and ``reloading``, and answers requests. It never
trusts an actor message to arrive: once a second it looks at the processes themselves.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NoReturn

import psutil

from squad.actors import logs, reloading, tree
from squad.actors.agent import AgentActor
from squad.actors.base import Actor, receives
from squad.actors.gateway.actor import Gateway
from squad.actors.health import Health
from squad.actors.lifecycle import Lifecycle
from squad.actors.monitor import Monitor
from squad.actors.protocol import (
    Address,
    Boot,
    Booting,
    Drained,
    Evict,
    Inspect,
    Leaving,
    Pong,
    Readings,
    Record,
    ReleaseDone,
    Reload,
    Reply,
    Report,
    Resize,
    Restart,
    Roster,
    Started,
    StartFailed,
    StopSquad,
    StorageReady,
    Tree,
)
from squad.actors.scheduler import Scheduler
from squad.actors.shutdown import Shutdown
from squad.actors.storage import Storage
from squad.events import event

_SWEEP = 1.0  # seconds between looks at the processes
_SAVE = 5.0  # seconds between copies of the tree for when no squad runs
_ACTORS: dict[str, type[Actor]] = {
    "storage": Storage,
    "monitor": Monitor,
    "gateway": Gateway,
    "scheduler": Scheduler,
    "agent": AgentActor,
    "worker": AgentActor,
}


class Supervisor(Actor):
    """See the module. One for each squad; the launcher starts another when it dies."""

    _lifecycle: Lifecycle
    _health: Health

    def __init__(self) -> None:
        super().__init__()
        self._shutdown: Shutdown | None = None
        self._saved_at = 0.0

    # -- start and stop ---------------------------------------------------------------------------------------------

    @receives(Boot)
    def on_boot(self, msg: Boot, sender: Address) -> None:
        self._home = Path(msg.home)
        self._started = time.time()
        self._process = psutil.Process()
        self.set_title(f"supervisor of {msg.config.name}")
        self.log_to(self._home, "supervisor", msg.config.logging)
        self._log = logs.logger("supervisor")
        self.tell(sender, Booting(self._process.pid))
        self._lifecycle = Lifecycle(self, msg, _ACTORS, self._log)
        children = self._lifecycle.children
        self._health = Health(msg.config.supervision.health, children.values, self.tell, self._log)
        self._deployment = reloading.Deployment.of(msg.config, msg.recipients)
        self._lifecycle.start(self._lifecycle.storage)  # everybody else starts when it serves
        self.after(_SWEEP, "sweep")
        self.after(self._health.rules.interval, "health")

    @receives(StopSquad)
    def on_stop(self, msg: StopSquad, sender: Address) -> None:
        life = self._lifecycle
        if self._shutdown is None:
            life.stopping = True
            self._shutdown = Shutdown(self._home, life, self.tell)
            self._log.info("stopping; handlers have %g s to finish", msg.grace)
        self._shutdown.begin(msg.grace)
        self._shutdown_tick()

    def _shutdown_tick(self) -> None:
        if self._shutdown is not None and self._shutdown.step():
            self._save()
            self._leave_stopped()

    def _leave_stopped(self) -> NoReturn:
        self._log.info("stopped")
        self.leave(0)

    # -- news of the children ---------------------------------------------------------------------------------------

    @receives(Started)
    def on_started(self, msg: Started, sender: Address) -> None:
        child = self._lifecycle.by_worker(msg.worker)
        if child is not None:
            child.heard, child.started = time.monotonic(), True
            self.roster_changed()

    @receives(StorageReady)
    def on_storage_ready(self, msg: StorageReady, sender: Address) -> None:
        if self._lifecycle.by_worker(msg.worker) is not None:
            self._lifecycle.storage_ready(sender, msg.kept)

    @receives(StartFailed)
    def on_start_failed(self, msg: StartFailed, sender: Address) -> None:
        """It cannot work: its process is ended, which counts as a crash like any other."""
        child = self._lifecycle.by_worker(msg.worker)
        if child is not None:
            child.last_error = msg.error
            child.kill(msg.error.splitlines()[0])

    @receives(Report)
    def on_report(self, msg: Report, sender: Address) -> None:
        child = self._lifecycle.by_worker(msg.worker)
        if child is None or not child.running:
            return
        was_ready, was_starting = child.ready, child.state == "starting"
        child.report = msg
        child.last_error = msg.last_error or child.last_error
        child.pinged = None
        child.become(msg.state)
        if child.ready and not was_ready:
            self._lifecycle.start_waiting()
            if was_starting and not child.spec.core:
                self._lifecycle.journal.note(event("ready", child.name))
        if child.now_throttled() and child.spec.settings is not None and child.spec.settings.send_rate is not None:
            rate = child.spec.settings.send_rate.per_minute
            self._lifecycle.journal.note(event("throttled", child.name, per_minute=rate))

    @receives(Pong)
    def on_pong(self, msg: Pong, sender: Address) -> None:
        child = self._lifecycle.by_worker(msg.worker)
        if child is not None:
            self._health.answered(child)

    @receives(Leaving)
    def on_leaving(self, msg: Leaving, sender: Address) -> None:
        child = self._lifecycle.by_worker(msg.worker)
        if child is not None:
            child.leaving, child.finished = msg.reason, msg.finished
            if not msg.finished:
                child.last_error = msg.reason

    @receives(Evict)
    def on_evict(self, msg: Evict, sender: Address) -> None:
        child = self._lifecycle.by_worker(msg.worker)
        if child is not None and child.running:
            child.leaving = child.last_error = msg.reason
            child.kill(msg.reason)

    @receives(Drained)
    def on_drained(self, msg: Drained, sender: Address) -> None:
        self._lifecycle.drained(msg.worker)

    @receives(Readings)
    def on_readings(self, msg: Readings, sender: Address) -> None:
        for worker, cpu, memory in msg.workers:
            child = self._lifecycle.by_worker(worker)
            if child is not None:
                child.cpu_percent, child.memory_bytes = cpu, memory

    @receives(ReleaseDone)
    def on_release_done(self, msg: ReleaseDone, sender: Address) -> None:
        self._lifecycle.journal.released(msg.worker)
        self._shutdown_tick()

    def on_child_exited(self, address: Address) -> None:
        self._lifecycle.sweep()
        self._shutdown_tick()

    def on_timer(self, token: Any) -> None:
        match token:
            case "sweep":
                self._lifecycle.sweep()
                self._shutdown_tick()
                if time.monotonic() - self._saved_at > _SAVE:
                    self._save()
                self.after(_SWEEP, "sweep")
            case "health":
                self._health.check()
                self.after(self._health.rules.timeout, "answers")
                self.after(self._health.rules.interval, "health")
            case "answers":
                if self._health.look():
                    self.after(self._health.rules.timeout, "answers")
            case ("start", name):
                self._lifecycle.delay_over(name)
            case ("drained-by", worker):
                self._lifecycle.drained(worker, "did not finish in time")

    # -- requests ---------------------------------------------------------------------------------------------------

    @receives(Inspect)
    def on_inspect(self, msg: Inspect, sender: Address) -> None:
        self.tell(sender, Tree(msg.request, tuple(self._rows())))

    @receives(Restart)
    def on_restart(self, msg: Restart, sender: Address) -> None:
        restarted = self._lifecycle.restart(msg.name)
        error = "" if restarted else f"no agent is called {msg.name!r}"
        self.roster_changed()
        self.tell(sender, Reply(msg.request, error, {"restarted": restarted}))

    @receives(Resize)
    def on_resize(self, msg: Resize, sender: Address) -> None:
        life = self._lifecycle
        convoy = life.convoys.get(msg.convoy)
        if convoy is None:
            self.tell(sender, Reply(msg.request, f"no convoy is called {msg.convoy!r}"))
            return
        if msg.pin and msg.size is not None and not convoy.settings.min <= msg.size <= convoy.settings.max:
            bounds = f"from {convoy.settings.min} to {convoy.settings.max} workers"
            self.tell(sender, Reply(msg.request, f"{convoy.name} has {bounds} by its configuration, not {msg.size}"))
            return
        if convoy.pinned and not msg.pin:
            return  # the monitor did not know yet
        if msg.pin:
            convoy.pinned = msg.size is not None
        if msg.size is not None and msg.size != convoy.size:
            before, convoy.size, convoy.reason = convoy.size, msg.size, msg.reason
            self._log.info("%s: %d to %d workers: %s", convoy.name, before, convoy.size, msg.reason)
            life.journal.record(Record(resizes=((convoy.name, before, convoy.size, msg.reason, msg.readings),)))
            life.fit(convoy)
        if msg.pin:
            life.journal.record(Record(put=(convoy.kept(),)))
        if msg.request:
            self.tell(sender, Reply(msg.request, detail={"size": convoy.size, "pinned": convoy.pinned}))
        self.roster_changed()

    @receives(Reload)
    def on_reload(self, msg: Reload, sender: Address) -> None:
        deployment = reloading.Deployment.of(msg.config, msg.recipients)
        plan = reloading.plan(self._deployment, deployment)
        self.tell(sender, Reply(msg.request, detail=plan.shown()))
        if not msg.dry_run and self._shutdown is None and plan:
            self._log.info("reloading: %s", plan)
            reloading.keep(self._home, deployment)
            self._deployment = deployment
            self._health.rules = msg.config.supervision.health
            self.log_to(self._home, "supervisor", msg.config.logging)
            reloading.carry_out(plan, self._lifecycle, deployment, self.tell)
            self.roster_changed()

    # -- what it says -----------------------------------------------------------------------------------------------

    def roster_changed(self) -> None:
        """Tell the monitor which processes there are."""
        life = self._lifecycle
        monitor = life.children["monitor"]
        if not monitor.running:
            return
        processes = [("supervisor", self._process.pid)]
        processes += [(c.worker, c.pid) for c in life.children.values() if c.pid is not None]
        convoys = [
            (v.name, v.size, v.pinned, tuple(c.worker for c in life.workers(v) if c.running))
            for v in life.convoys.values()
            if not v.stopped
        ]
        self.tell(monitor.address, Roster(tuple(processes), tuple(convoys)))

    def _rows(self) -> list[tree.Row]:
        memory = self._process.memory_info().rss
        state = "draining" if self._shutdown is not None else "ready"
        top = tree.supervisor_row(self._started, memory, None, state)
        life = self._lifecycle
        return tree.rows(top, life.children.values(), life.convoys.values(), life.hands)

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        tree.save(self._home / "tree.json", self._lifecycle.config.name, self._rows())
