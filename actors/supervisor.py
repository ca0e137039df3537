"""The supervisor: owns, starts, watches and restarts every other actor of the squad.

It runs no user code, has one thread (it forks), and is the only actor with children. What it decides with is pure
(``restarts``, ``children``); what it knows is its table of children, which ``squad inspect`` shows. It never trusts an
actor message to arrive: once a second it looks at the processes themselves.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any, NoReturn

import psutil

from squad.actors import blackbox, logs, tree
from squad.actors.agent import AgentActor
from squad.actors.base import Actor, receives
from squad.actors.children import CORE, Child, ChildSpec, Convoy, convoy_key
from squad.actors.gateway.actor import Gateway
from squad.actors.monitor import Monitor
from squad.actors.protocol import (
    Address,
    Begin,
    Boot,
    Booting,
    Drain,
    Drained,
    Inspect,
    Leaving,
    Ping,
    Pong,
    Readings,
    Record,
    Released,
    ReleaseDone,
    Reply,
    Report,
    Resize,
    Restart,
    Roster,
    Share,
    Started,
    StartFailed,
    StopSquad,
    StorageAt,
    StorageReady,
    Tree,
)
from squad.actors.restarts import RestartBudget
from squad.actors.shutdown import Shutdown
from squad.actors.storage import Storage

_SWEEP = 1.0  # seconds between looks at the processes
_SAVE = 5.0  # seconds between copies of the tree for when no squad runs
_START_LIMIT = 30.0  # seconds in which a new process must say Started
_FORK_AGAIN = 1.0  # seconds until a fork that failed is tried again
_ACTORS: dict[str, type[Actor]] = {
    "storage": Storage,
    "monitor": Monitor,
    "gateway": Gateway,
    "agent": AgentActor,
    "worker": AgentActor,
}


class Supervisor(Actor):
    """See the module. One for each squad; the launcher starts another when it dies."""

    def __init__(self) -> None:
        super().__init__()
        self._children: dict[str, Child] = {}
        self._convoys: dict[str, Convoy] = {}
        self._unreleased: dict[str, Released] = {}  # said to storage, not yet acknowledged
        self._history: list[Record] = []  # waits for storage to be there
        self._shutdown: Shutdown | None = None
        self._ping = 0
        self._saved_at = 0.0
        self._roster: Roster | None = None

    # -- start ------------------------------------------------------------------------------------------------------

    @receives(Boot)
    def on_boot(self, msg: Boot, sender: Address) -> None:
        self._home = Path(msg.home)
        self._config = msg.config
        self._recipients = msg.recipients
        self._started = time.time()
        self._process = psutil.Process()
        self._hands = self._home / "run" / "hand"
        self.set_title(f"supervisor of {msg.config.name}")
        logs.configure(self._home, "supervisor", msg.config.logging)
        self._log = logs.logger("supervisor")
        self.tell(sender, Booting(self._process.pid))
        # What the killed squad had in hand; its black boxes are older than every worker of this one.
        self._in_hand = {worker: (hand.row, hand.fence) for worker, hand in blackbox.read_all(self._hands).items()}
        for worker in self._in_hand:
            blackbox.discard(self._hands, worker)
        self._hands.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._alive_known = False  # whether a storage of this tree ever came up
        for kind in CORE:
            self._add(ChildSpec(kind, kind))
        for name, settings in msg.config.agents.items():
            agent = self._add(ChildSpec(name, "agent", name, settings))
            if msg.only is not None and name not in msg.only:
                agent.become("stopped")
        for name, convoy in msg.config.convoys.items():
            stopped = msg.only is not None and name not in msg.only
            self._convoys[name] = Convoy(name, convoy, convoy.min, stopped=stopped)
        self._start(self._children["storage"])  # everybody else starts when it is ready
        self.after(_SWEEP, "sweep")
        self.after(self._config.supervision.health.interval, "health")

    def _add(self, spec: ChildSpec) -> Child:
        own = getattr(spec.settings, "restarts", None)
        rules = own or self._config.supervision.restarts
        budget = RestartBudget(rules.intensity, rules.period, rules.backoff, rules.cap, rules.jitter, random.random)
        self._children[spec.name] = Child(spec, budget)
        return self._children[spec.name]

    def _start(self, child: Child) -> None:
        if self._shutdown is not None or child.running:
            return
        child.worker_ended()
        child.become("starting")
        extra: dict[str, Any] = {}
        if child.spec.kind == "storage":
            extra["alive"] = [c.worker for c in self._children.values() if c.running] + list(self._unreleased)
            if not self._alive_known:
                extra = {"alive": None, "in_hand": self._in_hand}
        elif not child.spec.core:
            extra["recipients"] = self._recipients
            if child.spec.kind == "worker":
                extra["share"] = self._convoys[child.spec.recipient].size
        storage = self._children["storage"].address
        address, child.pid = self.spawn(_ACTORS[child.spec.kind])
        child.address, child.spawned = address, time.monotonic()
        if child.pid is None:
            child.last_error = "no process could be forked for it"
            delay = child.budget.crashed(time.monotonic())
            self._again(child, child.last_error, None if delay is None else max(delay, _FORK_AGAIN))
            return
        self.tell(address, Begin(child.spec, child.new_worker(), str(self._home), self._config, storage, extra))

    @receives(Started)
    def on_started(self, msg: Started, sender: Address) -> None:
        child = self._by_worker(msg.worker)
        if child is not None:
            child.heard, child.started, child.created = time.monotonic(), True, msg.created
            self._tell_monitor()

    @receives(StorageReady)
    def on_storage_ready(self, msg: StorageReady, sender: Address) -> None:
        child = self._by_worker(msg.worker)
        if child is None:
            return
        child.address = sender  # the address that spawn gave is known only here
        child.become("ready")
        for released in self._unreleased.values():
            self.tell(child.address, released)
        for record in self._history:
            self.tell(child.address, record)
        self._history.clear()
        if not self._alive_known:
            for convoy in self._convoys.values():
                if (text := msg.kept.get(convoy_key(convoy.name))) is not None:
                    convoy.recall(text)
                self._fit(convoy)
        for other in self._children.values():
            if other is child:
                continue
            if other.running:
                self.tell(other.address, StorageAt(child.address))
            elif not self._alive_known and other.state != "stopped":
                self._start(other)
        self._alive_known = True

    @receives(StartFailed)
    def on_start_failed(self, msg: StartFailed, sender: Address) -> None:
        """It cannot work: its process is ended, which counts as a crash like any other."""
        child = self._by_worker(msg.worker)
        if child is not None:
            child.last_error = msg.error
            child.kill(msg.error.splitlines()[0])

    # -- news of the children ---------------------------------------------------------------------------------------

    def _by_worker(self, worker: str) -> Child | None:
        child = self._children.get(worker.rpartition(".")[0])
        return child if child is not None and child.worker == worker else None

    @receives(Report)
    def on_report(self, msg: Report, sender: Address) -> None:
        child = self._by_worker(msg.worker)
        if child is None or not child.running:
            return
        child.report = msg
        child.last_error = msg.last_error or child.last_error
        child.pinged = None
        child.become(msg.state)

    @receives(Pong)
    def on_pong(self, msg: Pong, sender: Address) -> None:
        child = self._by_worker(msg.worker)
        if child is not None:
            child.heard, child.pinged = time.monotonic(), None
            if child.state == "hung" and child.running:
                child.become(child.report.state if child.report else "ready")

    @receives(Leaving)
    def on_leaving(self, msg: Leaving, sender: Address) -> None:
        child = self._by_worker(msg.worker)
        if child is not None:
            child.leaving = child.last_error = msg.reason

    @receives(Readings)
    def on_readings(self, msg: Readings, sender: Address) -> None:
        for worker, cpu, memory in msg.workers:
            child = self._by_worker(worker)
            if child is not None:
                child.cpu_percent, child.memory_bytes = cpu, memory

    @receives(ReleaseDone)
    def on_release_done(self, msg: ReleaseDone, sender: Address) -> None:
        self._unreleased.pop(msg.worker, None)
        self._shutdown_tick()

    # -- ends and new beginnings ------------------------------------------------------------------------------------

    def on_child_exited(self, address: Address) -> None:
        self._sweep()
        self._shutdown_tick()

    def _sweep(self) -> None:
        """Notice every process that has ended, however the news of it got lost."""
        for child in list(self._children.values()):
            if child.running and child.gone():
                self._ended(child)
            elif child.running and not child.started and time.monotonic() - child.spawned > _START_LIMIT:
                child.kill(f"did not start within {_START_LIMIT:g} s")

    def _ended(self, child: Child) -> None:
        reason = child.leaving or child.killed_for or "its process died"
        hand = blackbox.read(self._hands, child.worker) if not child.spec.core else None
        blackbox.discard(self._hands, child.worker)
        child.pid, child.report, child.address = None, None, None
        if not child.spec.core:
            self._release(child.worker, hand, reason, charge=not child.leaving and self._shutdown is None)
        self._tell_monitor()
        if self._shutdown is not None:
            child.become("stopped")
            return
        if child.after_exit == "remove":
            del self._children[child.name]
            return
        if child.leaving or child.after_exit == "again":
            child.after_exit = "restart"
            delay: float | None = 0.0
        else:
            child.last_error = child.last_error if child.killed_for else f"{reason}"
            delay = child.budget.crashed(time.monotonic())
        self._again(child, reason, delay)

    def _again(self, child: Child, reason: str, delay: float | None) -> None:
        if delay is None and child.spec.core:
            self._log.critical("%s crashes again and again (%s): starting the whole tree again", child.name, reason)
            self.leave(70)
        if delay is None:
            rules = child.budget
            child.become("quarantined")
            self._log.error(
                "%s is quarantined: more than %d restarts in %g s; last: %s. When it is mended: squad restart %s",
                child.name,
                rules.intensity,
                rules.period,
                reason,
                child.spec.recipient,
            )
            self._note("quarantined", child.name, reason)
            return
        child.restarts += 1
        child.become("restarting")
        self._log.warning("%s is started again in %.1f s: %s", child.name, delay, reason)
        self._note("restarted", child.name, reason)
        if delay:
            self.after(delay, ("start", child.name))
        else:
            self._start(child)

    def _release(self, worker: str, hand: blackbox.Hand | None, reason: str, *, charge: bool) -> None:
        row = None if hand is None else (hand.row, hand.fence)
        self._unreleased[worker] = Released(worker, row, reason, charge)
        storage = self._children["storage"]
        if storage.running:
            self.tell(storage.address, self._unreleased[worker])

    def _note(self, kind: str, subject: str, detail: str) -> None:
        self._record(Record(events=((kind, subject, tree.as_json({"reason": detail})),)))

    def _record(self, record: Record) -> None:
        storage = self._children["storage"]
        if storage.ready:
            self.tell(storage.address, record)
        else:
            self._history.append(record)

    # -- time -------------------------------------------------------------------------------------------------------

    def on_timer(self, token: Any) -> None:
        if token == "sweep":  # noqa: S105 - the name of a timer
            self._sweep()
            self._shutdown_tick()
            if time.monotonic() - self._saved_at > _SAVE:
                self._save()
            self.after(_SWEEP, "sweep")
        elif token == "health":  # noqa: S105
            self._ping_all()
            self.after(self._config.supervision.health.interval, "health")
        elif token == "answers":  # noqa: S105
            self._look_for_answers()
        elif isinstance(token, tuple) and token[0] == "start":
            child = self._children.get(token[1])
            if child is not None and child.state == "restarting":
                self._start(child)
        elif isinstance(token, tuple) and token[0] == "drained-by":
            child = self._by_worker(token[1])
            if child is not None and child.running:
                child.kill("did not finish in time")

    def _ping_all(self) -> None:
        self._ping += 1
        for child in self._children.values():
            if child.running and child.started:
                child.pinged = child.pinged or time.monotonic()
                self.tell(child.address, Ping(self._ping))
        self.after(self._config.supervision.health.timeout, "answers")

    def _look_for_answers(self) -> None:
        """Those that did not answer the ping are asked again, and ended when they stay silent."""
        rules = self._config.supervision.health
        silent = [c for c in self._children.values() if c.running and c.started and c.pinged is not None]
        for child in silent:
            quiet = time.monotonic() - (child.pinged or 0.0)
            if quiet >= rules.hung_after:
                self._log.error("%s has been silent for %.0f s: ending it", child.name, quiet)
                child.kill(f"hung: silent for {quiet:.0f} s")
            elif quiet >= rules.timeout:
                if child.state != "hung":
                    self._log.warning("%s does not answer its health check", child.name)
                    child.become("hung")
                self.tell(child.address, Ping(self._ping))
        if silent:
            self.after(rules.timeout, "answers")

    # -- convoys ----------------------------------------------------------------------------------------------------

    def _workers(self, convoy: Convoy) -> list[Child]:
        return [c for c in self._children.values() if c.spec.kind == "worker" and c.spec.recipient == convoy.name]

    def _fit(self, convoy: Convoy) -> None:
        """Bring a convoy to its size: start what is missing, drain what is too much."""
        if convoy.stopped:
            return
        workers = self._workers(convoy)
        staying = [child for child in workers if child.after_exit != "remove"]
        taken = {child.name for child in workers}
        numbers = iter(range(1, convoy.size + len(taken) + 1))
        while len(staying) < convoy.size:
            spec = next(spec for number in numbers if (spec := convoy.spec(number)).name not in taken)
            staying.append(self._add(spec))
            if self._alive_known:
                self._start(staying[-1])
        # Idle ones go first; among those the youngest.
        surplus = sorted(staying, key=lambda c: (c.state == "busy", -c.spawned))[: len(staying) - convoy.size]
        for child in surplus:
            child.after_exit = "remove"
            self._drain(child)
            if not child.running:
                del self._children[child.name]
        for child in self._workers(convoy):
            if child.running:
                self.tell(child.address, Share(convoy.size))

    @receives(Resize)
    def on_resize(self, msg: Resize, sender: Address) -> None:
        convoy = self._convoys.get(msg.convoy)
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
            self._record(Record(resizes=((convoy.name, before, convoy.size, msg.reason, msg.readings),)))
            self._fit(convoy)
        if msg.pin:
            self._record(Record(put=(convoy.kept(),)))
        if msg.request:
            self.tell(sender, Reply(msg.request, detail={"size": convoy.size, "pinned": convoy.pinned}))
        self._tell_monitor()

    def _tell_monitor(self) -> None:
        monitor = self._children["monitor"]
        if not monitor.running:
            return
        processes = [("supervisor", self._process.pid, self._process.create_time())]
        processes += [(c.worker, c.pid, 0.0) for c in self._children.values() if c.pid is not None]
        convoys = [
            (v.name, v.size, v.pinned, tuple(c.worker for c in self._workers(v) if c.running))
            for v in self._convoys.values()
            if not v.stopped
        ]
        self.tell(monitor.address, Roster(tuple(processes), tuple(convoys)))

    # -- requests ---------------------------------------------------------------------------------------------------

    def _rows(self) -> list[tree.Row]:
        with self._process.oneshot():
            memory = self._process.memory_info().rss
        state = "draining" if self._shutdown is not None else "ready"
        top = tree.supervisor_row(self._started, memory, None, state)
        return tree.rows(top, self._children.values(), self._convoys.values(), self._hands)

    @receives(Inspect)
    def on_inspect(self, msg: Inspect, sender: Address) -> None:
        self.tell(sender, Tree(msg.request, tuple(self._rows())))

    @receives(Restart)
    def on_restart(self, msg: Restart, sender: Address) -> None:
        if msg.name in self._convoys and self._convoys[msg.name].stopped:
            self._convoys[msg.name].stopped = False
            self._fit(self._convoys[msg.name])
            self._tell_monitor()
            self.tell(sender, Reply(msg.request, detail={"restarted": [msg.name]}))
            return
        named = [c for c in self._children.values() if msg.name in (c.name, c.spec.recipient)]
        if not named:
            self.tell(sender, Reply(msg.request, f"no agent is called {msg.name!r}"))
            return
        for child in named:
            child.budget.reset()
            if child.spec.core and child.running:
                child.after_exit = "again"
                child.kill("restarted by hand")
            elif child.running:
                child.after_exit = "again"
                self._drain(child)
            else:
                self._start(child)
        self.tell(sender, Reply(msg.request, detail={"restarted": [c.name for c in named]}))

    def _drain(self, child: Child) -> None:
        if child.running:
            child.become("draining")
            self.tell(child.address, Drain())
            self.after(self._config.supervision.shutdown, ("drained-by", child.worker))

    @receives(Drained)
    def on_drained(self, msg: Drained, sender: Address) -> None:
        child = self._by_worker(msg.worker)
        if child is not None and child.running:
            child.leaving = "stopped"
            child.kill("stopped")

    # -- the end ----------------------------------------------------------------------------------------------------

    @receives(StopSquad)
    def on_stop(self, msg: StopSquad, sender: Address) -> None:
        if self._shutdown is None:
            self._shutdown = Shutdown(
                self._home, list(self._children.values()), self._hands, self.tell, lambda: not self._unreleased
            )
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

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        tree.save(self._home / "tree.json", self._config.name, self._rows())
