"""The supervisor: owns, starts, watches and restarts every other actor of the squad.

It runs no user code, has one thread (it forks), and is the only actor with children. This is its actor: it passes news
on to ``lifecycle`` (starts, ends, restarts), ``health``, ``shutdown`` and ``reloading``, and answers requests. The
kernel tells of a child's end; should that news get lost, a look at all processes now and then finds it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from pathlib import Path
from typing import Any, NoReturn

from squad.actors import accepted, limits, logs
from squad.actors.agents.agent import AgentActor
from squad.actors.base import Actor, receives
from squad.actors.broker.storage import Storage
from squad.actors.exporting.exporter import Exporter
from squad.actors.gateway.actor import Gateway
from squad.actors.monitoring import usage
from squad.actors.monitoring.monitor import Monitor
from squad.actors.protocol import (
    Address,
    Ask,
    Boot,
    Booting,
    Drained,
    Evict,
    Explain,
    Explained,
    Held,
    Inspect,
    Leaving,
    Machine,
    OverCeiling,
    Pong,
    Readings,
    Record,
    RecordDone,
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
from squad.actors.scheduling.scheduler import Scheduler
from squad.actors.supervision import explaining, reloading, tree
from squad.actors.supervision.health import Health
from squad.actors.supervision.lifecycle import Lifecycle
from squad.actors.supervision.shutdown import Shutdown
from squad.actors.supervision.standing import standing
from squad.actors.supervision.strain import Strain
from squad.errors import StartError
from squad.events import BY_HAND, event
from squad.store.holds import KEY as HOLDS
from squad.store.holds import Holds, said
from squad.store.times import iso

_SWEEP = 5.0  # seconds between looks at the processes, and copies of the tree for when no squad runs
_STEP = 1.0  # seconds between looks while the squad stops
_ROSTER = 0.5  # seconds in which changes of who runs are gathered for the monitor
_HELD = ("gateway", "scheduler")  # who goes by what is on hold, beside the storage
_ACTORS: dict[str, type[Actor]] = {
    "storage": Storage,
    "monitor": Monitor,
    "gateway": Gateway,
    "scheduler": Scheduler,
    "exporter": Exporter,
    "agent": AgentActor,
    "worker": AgentActor,
}


class Supervisor(Actor):
    """See the module. One for each squad; the launcher starts another when it dies."""

    _lifecycle: Lifecycle
    _health: Health
    _strain: Strain

    def __init__(self) -> None:
        super().__init__()
        self._shutdown: Shutdown | None = None
        self._holds = Holds()
        self._changed = False  # something that the copy of the tree does not show
        self._roster_due = False  # a timer is set

    # -- start and stop ---------------------------------------------------------------------------------------------

    @receives(Boot)
    def on_boot(self, msg: Boot, sender: Address) -> None:
        self._home = Path(msg.home)
        self._started = time.time()
        self.set_title(f"supervisor of {msg.config.name}")
        self.log_to(self._home, "supervisor", msg.config.logging)
        self._log = logs.logger("supervisor")
        self.tell(sender, Booting(os.getpid()))
        self._lifecycle = Lifecycle(self, msg, _ACTORS, self._log)
        self._strain = Strain(self._lifecycle, self.tell, self._log)
        children = self._lifecycle.children
        self._health = Health(msg.config.supervision.health, children.values, self.tell, self._log)
        self._deployment = reloading.Deployment.of(msg.config, msg.recipients)
        gc.freeze()  # a collection writes to whatever it looks through, here to what the children share
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
            self.after(_STEP, "stopping")
            self._tell_roster()
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
            self._lifecycle.heard(child)
            self.roster_changed()
            if child.spec.kind in _HELD:
                self.tell(child.address, Held(self._holds.text()))

    @receives(StorageReady)
    def on_storage_ready(self, msg: StorageReady, sender: Address) -> None:
        if self._lifecycle.by_worker(msg.worker) is not None:
            self._lifecycle.storage_ready(sender, msg.kept)
            self._strain.tell_storage()
            self._hold(Holds.read(msg.kept.get(HOLDS)))

    @receives(Held)
    def on_held(self, msg: Held, sender: Address) -> None:
        self._hold(Holds.read(msg.holds))

    def _hold(self, holds: Holds) -> None:
        """Show what is on hold from now on, and tell those that go by it."""
        if holds == self._holds:
            return
        if holds.frozen is not None and self._holds.frozen is None:
            why, since = said(holds.frozen) or "nobody said why", iso(holds.frozen.since)
            self._log.warning("the squad is frozen (%s), since %s: nothing is handled until squad thaw", why, since)
        elif holds.frozen is None and self._holds.frozen is not None:
            self._log.warning("the squad is frozen no more")
        self._holds, self._changed = holds, True
        for child in self._lifecycle.children.values():
            if child.running and child.spec.kind in _HELD:
                self.tell(child.address, Held(holds.text()))

    @receives(StartFailed)
    def on_start_failed(self, msg: StartFailed, sender: Address) -> None:
        """It cannot work: its process is ended, which counts as a crash like any other."""
        child = self._lifecycle.by_worker(msg.worker)
        if child is not None:
            child.condemn(msg.error, "start")

    @receives(Report)
    def on_report(self, msg: Report, sender: Address) -> None:
        child = self._lifecycle.by_worker(msg.worker)
        if child is None or not child.running:
            return
        was_ready, was_starting, was_failed = child.ready, child.state == "starting", child.failed
        child.report, self._changed = msg, True
        child.last_error = msg.last_error or child.last_error
        child.pinged = None
        child.become(msg.state)
        if child.ready and not was_ready:
            self._lifecycle.start_waiting()
            if child.spec.kind == "storage":
                self._lifecycle.journal.served()
                self._strain.tell_storage()
            if was_starting and not child.spec.core:
                self._lifecycle.journal.note(event("ready", child.name))
                self._log.info("%s is ready", child.name)
        if child.failed != was_failed or (child is self._lifecycle.storage and child.ready != was_ready):
            self.roster_changed()
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
            child.cause = "timeout" if msg.timed_out else None
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

    @receives(Machine)
    def on_machine(self, msg: Machine, sender: Address) -> None:
        self._changed = self._strain.read(msg) or self._changed

    @receives(OverCeiling)
    def on_over_ceiling(self, msg: OverCeiling, sender: Address) -> None:
        self._strain.judged(msg)

    @receives(ReleaseDone)
    def on_release_done(self, msg: ReleaseDone, sender: Address) -> None:
        self._lifecycle.journal.released(msg.worker)
        self._shutdown_tick()

    @receives(RecordDone)
    def on_record_done(self, msg: RecordDone, sender: Address) -> None:
        self._lifecycle.journal.recorded(msg.number)

    def on_child_exited(self, address: Address, pid: int | None) -> None:
        self._lifecycle.sweep(pid)
        self._shutdown_tick()

    def on_timer(self, token: Any) -> None:
        match token:
            case "sweep":
                self._lifecycle.sweep()
                self._lifecycle.journal.say_again()
                self._shutdown_tick()
                if self._changed:
                    self._save()
                self.after(_SWEEP, "sweep")
            case "stopping":
                self._shutdown_tick()
                self.after(_STEP, "stopping")
            case "roster":
                self._tell_roster()
            case "health":
                if self._health.check():
                    self.after(self._health.rules.timeout, "answers")
                self.after(self._health.rules.interval, "health")
            case "answers":
                if self._health.look():
                    self.after(self._health.rules.timeout, "answers")
            case ("start", name, again_at):
                self._lifecycle.delay_over(name, again_at)
            case ("drained-by", worker):
                self._lifecycle.drained(worker, "did not finish in time")

    # -- requests ---------------------------------------------------------------------------------------------------

    @receives(Inspect)
    def on_inspect(self, msg: Inspect, sender: Address) -> None:
        self.tell(sender, Tree(msg.request, tuple(self._rows(msg.brief))))

    @receives(Explain)
    def on_explain(self, msg: Explain, sender: Address) -> None:
        found = explaining.about(self._lifecycle, msg.recipient, self._health.rules.hung_after)
        found["throttled"] = self._strain.throttled
        self.tell(sender, Explained(msg.request, found))

    @receives(Ask)
    def on_ask(self, msg: Ask, sender: Address) -> None:
        child = self._lifecycle.by_worker(msg.worker)
        if child is not None and child.running:
            self.tell(child.address, Ask(msg.request, msg.worker, sender))

    @receives(Restart)
    def on_restart(self, msg: Restart, sender: Address) -> None:
        restarted = self._lifecycle.restart(msg.name)
        for name in restarted:
            if name in self._lifecycle.children:  # not a convoy that was left out until now
                self._lifecycle.journal.note(event("restarted", name, reason=BY_HAND, cause=None))
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
        try:
            limits.require(msg.config, self._deployment.config)
        except StartError as error:
            self.tell(sender, Reply(msg.request, "; ".join([error.message, *map(str, error.problems)])))
            return
        deployment = reloading.Deployment.of(msg.config, msg.recipients)
        plan = reloading.plan(self._deployment, deployment)
        wanted = not msg.dry_run and self._shutdown is None and bool(plan)
        try:
            if wanted:
                accepted.keep(self._home, deployment.config, deployment.recipients)
        except OSError as error:
            self.tell(sender, Reply(msg.request, f"nothing is changed: {error.filename} cannot be written: {error}"))
            return
        self.tell(sender, Reply(msg.request, detail=plan.shown()))
        if wanted:
            self._log.info("reloading: %s", plan)
            self._deployment = deployment
            self._health.rules = msg.config.supervision.health
            self.log_to(self._home, "supervisor", msg.config.logging)
            reloading.carry_out(plan, self._lifecycle, deployment, self.tell)
            self.roster_changed()

    # -- what it says -----------------------------------------------------------------------------------------------

    def roster_changed(self) -> None:
        """Tell the monitor soon which processes there are: once for many that start or end together."""
        self._changed = True
        if not self._roster_due:
            self._roster_due = True
            self.after(_ROSTER, "roster")

    def _tell_roster(self) -> None:
        self._roster_due = False
        life = self._lifecycle
        monitor = life.children["monitor"]
        if not monitor.running:
            return
        processes = [(c.worker, c.pid) for c in life.children.values() if c.pid is not None]
        convoys = [
            (v.name, v.size, v.pinned, tuple(c.worker for c in life.workers(v) if c.running))
            for v in life.convoys.values()
            if not v.stopped
        ]
        self.tell(monitor.address, Roster(tuple(processes), tuple(convoys), *standing(life)))

    def _rows(self, brief: bool = False) -> list[tree.Row]:
        memory = usage.resident(os.getpid())
        state = "draining" if self._shutdown is not None else "throttled" if self._strain.throttled[0] else "ready"
        top = tree.supervisor_row(self._started, memory, None, state)
        life = self._lifecycle
        hands = None if brief else life.hands
        return explaining.marked(tree.rows(top, life.children.values(), life.convoys.values(), hands), self._holds)

    def _save(self) -> None:
        with contextlib.suppress(OSError):  # a full disk: it is tried again
            tree.save(self._home / "tree.json", self._lifecycle.config.name, self._rows())
            self._changed = False
