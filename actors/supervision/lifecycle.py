"""Starts, ends and restarts of the supervisor's children: what is done about each, as the configuration says.

The supervisor's actor feeds it news; it starts and ends processes through the actor. Every child is in one of these
states of not running: ``waiting`` (for those it starts after), ``restarting`` (its delay has not passed),
``quarantined``, ``stopped``.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from squad.actors.agents import blackbox
from squad.actors.base import Actor
from squad.actors.protocol import Address, Begin, Boot, Drain, Share, StorageAt, convoy_key
from squad.actors.supervision.children import CORE, Child, ChildSpec, Convoy, Kind
from squad.actors.supervision.groups import Group, group_of
from squad.actors.supervision.host import Host
from squad.actors.supervision.journal import Journal, Notice
from squad.actors.supervision.past import Past
from squad.actors.supervision.restarts import budget_of
from squad.actors.supervision.table import Table
from squad.actors.supervision.turns import Turns
from squad.config.schema import SquadConfig
from squad.events import event

_START_LIMIT = 30.0  # seconds in which a new process must say Started
_FORK_AGAIN, _FORK_PAUSE = 1.0, 30.0  # seconds until a fork that failed is tried again: at first, and at most


class Lifecycle(Table):
    """The table, and the rules by which children and convoys come and go."""

    def __init__(self, host: Host, boot: Boot, actors: Mapping[str, type[Actor]], log: logging.Logger) -> None:
        home, config, only = Path(boot.home), boot.config, boot.only
        super().__init__()
        self.hands = home / "run" / "hand"
        self.journal = Journal(host.tell, lambda: self.storage)
        self.stopping = False
        self.config: SquadConfig = config
        self.recipients = boot.recipients
        self._host = host
        self._home = home
        self._actors = actors
        self._log = log
        self._past = Past(home, first=boot.generation == 1)
        self._serving = False  # whether a storage of this tree ever came up
        self._unforked: dict[str, float] = {}  # by name: seconds until a fork that failed is tried again
        self._turns = Turns(self.children, self.obstacles, self.start)
        self._in_hand = blackbox.inherit(self.hands)
        for kind in CORE:
            if kind not in ("scheduler", "exporter"):
                self._add(ChildSpec(kind, kind))
        self.fit_core()
        self.regroup()
        for name in config.recipients:
            self.declare(name, stopped=only is not None and name not in {*only, *config.notifiers})
        for notice in self._past.owed():
            self._tell(notice)

    # -- the table --------------------------------------------------------------------------------------------------

    def declare(self, name: str, *, stopped: bool = False) -> None:
        """Enter an agent or a convoy of the configuration into the table. ``start_waiting`` starts it."""
        if name not in self.config.convoys:
            spec = ChildSpec(name, "agent", name, self.config.recipients[name])
            if (ending := self.children.get(name)) is not None:  # it was taken out a moment ago: it comes after that
                ending.spec, ending.after_exit = spec, "again"
                return
            self._past.enter(self._add(spec), "stopped" if stopped else "waiting")
        else:
            settings = self.config.convoys[name]
            stopped = stopped and not self._past.was_started(name)
            self.convoys[name] = Convoy(name, settings, settings.min, stopped=stopped)

    def fit_core(self) -> None:
        """There is a scheduler exactly while something is sent by the clock, and an exporter while it has those."""
        wanted: dict[Kind, bool] = {"scheduler": self.config.timed, "exporter": bool(self.config.exporters)}
        for kind, there in wanted.items():
            if not there:
                self.remove(kind)
            elif (child := self.children.get(kind)) is None:
                self._add(ChildSpec(kind, kind)).become("waiting")
            elif child.after_exit == "remove":  # it was taken out a moment ago
                child.after_exit = "again"

    def regroup(self) -> None:
        """Take up the groups of the configuration; a group that stays keeps its history."""
        rules = self.config.supervision
        self.groups = {
            name: Group(name, settings, known.budget if (known := self.groups.get(name)) else budget_of(rules.restarts))
            for name, settings in rules.groups.items()
        }
        for group in self.groups.values():
            group.budget.follow(rules.restarts)
            self._past.enter_group(group)

    def _add(self, spec: ChildSpec) -> Child:
        own = spec.settings.restarts if spec.settings is not None else None
        self.children[spec.name] = Child(spec, budget_of(own or self.config.supervision.restarts))
        return self.children[spec.name]

    def _forget(self, child: Child) -> None:
        del self.children[child.name]
        self._past.forget(child)

    # -- starts -----------------------------------------------------------------------------------------------------

    def start(self, *children: Child) -> None:
        """Start their processes now, whatever they should wait for."""
        due = [each for each in children if not each.running and (not self.stopping or each is self.storage)]
        spawned = self._host.spawn_all([(self._actors[child.spec.kind], self._begin(child)) for child in due])
        for child, (address, pid) in zip(due, spawned, strict=True):
            child.address, child.pid = address, pid
            child.spawned, child.created = time.monotonic(), time.time()
            if pid is None:
                self._not_forked(child)
                continue
            self._unforked.pop(child.name, None)
            if not child.spec.core:
                self._turns.began(child)

    def _begin(self, child: Child) -> Begin:
        """Its first message."""
        child.forget_process()
        child.become("starting")
        extra: dict[str, Any] = {}
        if child.spec.kind == "storage":
            extra["alive"] = [c.worker for c in self.children.values() if c.running] + list(self.journal.unreleased)
            if not self._serving:
                extra = {"alive": None, "in_hand": self._in_hand}
        elif not child.spec.core:
            extra["recipients"] = self.recipients
            if child.spec.kind == "worker":
                extra["share"] = self.convoys[child.spec.recipient].size
        return Begin(child.spec, child.new_worker(), str(self._home), self.config, self.storage.address, extra)

    def _not_forked(self, child: Child) -> None:
        """The machine has no room for its process: no failure of its own, so its budget is left alone."""
        child.last_error = "no process could be forked for it"
        if child.name not in self._unforked:
            self._log.error("%s: %s: the machine has no memory or no process left", child.name, child.last_error)
        delay = self._unforked[child.name] = min(2 * self._unforked.get(child.name, _FORK_AGAIN / 2), _FORK_PAUSE)
        self._start_in(delay, child)

    def storage_ready(self, address: Address, kept: Mapping[str, str]) -> None:
        """Storage serves, for the first time in this tree or again."""
        self.storage.address = address  # the address that spawn gave is known only here
        self.storage.become("ready")
        self.journal.served()
        for other in self.children.values():
            if other is not self.storage and other.running:
                self._host.tell(other.address, StorageAt(address))
        if not self._serving:
            self._serving = True
            for child in self.children.values():
                if child.spec.core and child is not self.storage:
                    child.become("waiting")
            for convoy in self.convoys.values():
                if (text := kept.get(convoy_key(convoy.name))) is not None:
                    convoy.recall(text)
                self.fit(convoy)
        self.start_waiting()

    def start_waiting(self) -> None:
        """Start who waits and need not any more, so many at a time. Called at every news that may end a wait."""
        if not self.stopping:
            self._turns.give(everybody=self._serving)

    def heard(self, child: Child) -> None:
        """Its process has said Started."""
        child.heard, child.started = time.monotonic(), True
        self._turns.over(child)
        self.start_waiting()

    # -- ends -------------------------------------------------------------------------------------------------------

    def sweep(self, pid: int | None = None) -> None:
        """Notice every process that has ended, however the news of it got lost. ``pid``: only this one has."""
        children = list(self.children.values())
        for child in [child for child in children if pid and child.pid == pid] or children:
            if child.running and child.gone():
                self._ended(child)
            elif child.running and not child.started and time.monotonic() - child.spawned > _START_LIMIT:
                child.condemn(f"did not start within {_START_LIMIT:g} s", "start")

    def _ended(self, child: Child) -> None:
        reason = child.leaving or child.killed_for or "its process died"
        child.classify()
        if not child.spec.core:
            hand = blackbox.read(self.hands, child.worker)
            blackbox.discard(self.hands, child.worker)
            charge = not child.leaving and not self.stopping
            self.journal.release(child.worker, hand, reason, charge=charge, cause=child.cause)
        child.pid, child.report, child.address = None, None, None
        self._turns.over(child)
        self._host.roster_changed()
        after_exit, child.after_exit = child.after_exit, "by budget"
        if self.stopping and child is self.storage and not (child.leaving or child.killed_for):
            self.start(child)  # what the others still have to settle is settled before it goes
        elif self.stopping:
            child.become("stopped")
            if not child.spec.core:
                why = "the squad stops" if child.leaving else f"the squad stops: {reason}"
                self.journal.note(event("stopped", child.name, reason=why))
        elif after_exit == "remove":
            self._forget(child)
            self.journal.note(event("stopped", child.name, reason="it is not needed any more"))
        elif after_exit == "quarantine":
            child.become("quarantined")
        elif after_exit in ("again", "regroup"):
            child.become("waiting")
        elif child.leaving and not child.finished:
            self._again(child, reason, 0.0)
        else:
            self._by_its_type(child, reason)
        if child.name in self.children:
            self._past.note(child)
        self.start_waiting()

    def _by_its_type(self, child: Child, reason: str) -> None:
        """It crashed, or it is done: what its restart type says."""
        settings = child.spec.settings
        kind = settings.restart if settings is not None else "permanent"
        if not child.finished:
            child.last_error = child.last_error if child.killed_for else reason
        if kind == "temporary" or (kind == "transient" and child.finished):
            child.become("stopped")
            self._log.log(
                logging.INFO if child.finished else logging.ERROR, "%s has ended and stays so: %s", child.name, reason
            )
            self.journal.note(event("ended", child.name, reason=reason, cause=child.cause))
            return
        group = group_of(child.spec.recipient, self.groups.values())
        delay = (group or child).budget.crashed(time.monotonic())
        if group is not None:
            self._past.note_group(group)
            for name in group.with_(child.spec.recipient, everybody=delay is None):
                for other in self.named(name):
                    self._with_group(other, quarantine=delay is None, because=child.name)
        self._again(child, reason, delay)

    def _with_group(self, other: Child, *, quarantine: bool, because: str) -> None:
        reason = f"{because} of its group crashed"
        if other.after_exit == "remove":
            return
        if quarantine and other.state != "quarantined":
            self.journal.note(event("quarantined", other.name, reason=reason, cause=None))
            other.last_error = reason
            if other.running:
                other.after_exit = "quarantine"
                other.kill(reason)
            else:
                other.become("quarantined")
                self._past.note(other)
        elif other.running:
            other.after_exit = "regroup"
            other.restarts += 1
            self.drain(other)
            self.journal.note(event("restarted", other.name, reason=reason, cause=None))

    def _again(self, child: Child, reason: str, delay: float | None) -> None:
        child.failed = True
        if delay is None and child.spec.vital:
            self._log.critical("%s crashes again and again (%s): starting the whole tree again", child.name, reason)
            self._host.leave(70)
        if delay is None:
            child.become("quarantined")
            self._log.error(
                "%s is quarantined: more than %d restarts in %g s; last: %s. When it is mended: squad restart %s",
                child.name,
                child.budget.intensity,
                child.budget.period,
                reason,
                child.spec.recipient or child.name,
            )
            self._past.note(child)
            notice = Notice(child.name, reason, child.cause, child.since)
            self._past.owe(notice)
            self._tell(notice)
            return
        child.restarts += 1
        self._log.warning("%s is started again in %.1f s: %s", child.name, delay, reason)
        self.journal.note(event("restarted", child.name, reason=reason, cause=child.cause))
        if delay:
            self._start_in(delay, child)
        else:
            child.become("waiting")
            self.start_waiting()

    def _tell(self, notice: Notice) -> None:
        self.journal.quarantined(notice, self.config.supervision.notify, lambda: self._past.settle(notice))

    def _start_in(self, delay: float, child: Child) -> None:
        child.become("restarting")
        child.again_at = time.time() + delay
        self._host.after(delay, ("start", child.name, child.again_at))

    def delay_over(self, name: str, again_at: float) -> None:
        """``again_at`` says of which delay: another may have begun since."""
        child = self.children.get(name)
        if child is not None and child.state == "restarting" and child.again_at == again_at:
            child.become("waiting")
            self.start_waiting()

    # -- by request -------------------------------------------------------------------------------------------------

    def grace(self, child: Child) -> float:
        """Seconds that its running handler has when it stops."""
        settings = child.spec.settings
        own = settings.shutdown if settings is not None else None
        return self.config.supervision.shutdown if own is None else own

    def drain(self, child: Child) -> None:
        """Let it finish what it has in hand, for its grace, and end. What comes after that is its ``after_exit``."""
        if child.running:
            child.become("draining")
            self._host.tell(child.address, Drain())
            self._host.after(self.grace(child), ("drained-by", child.worker))

    def drained(self, worker: str, why: str = "stopped") -> None:
        """It has nothing in hand any more, or its grace is over. What it has is given back without a charge."""
        child = self.by_worker(worker)
        if child is not None and child.running:
            child.leaving = child.leaving or why
            child.kill(why)

    def restart(self, name: str) -> list[str]:
        """Restart a child or a convoy, ending a quarantine; the names of what is restarted, [] for a stranger."""
        if name in self.convoys and self.convoys[name].stopped:
            self.convoys[name].stopped = False
            self._past.note_started(name)
            self.fit(self.convoys[name])
            self.start_waiting()
            return [name]
        named = [child for child in self.named(name) if child.after_exit != "remove"]
        group = group_of(named[0].spec.recipient, self.groups.values()) if named else None
        if group is not None:  # a group is quarantined as one, and comes back as one
            group.budget.reset()
            self._past.note_group(group)
            members = [child for member in group.settings.members for child in self.named(member)]
            named += [child for child in members if child.state == "quarantined" and child not in named]
        for child in named:
            child.budget.reset()
            self._restart(child)
            self._past.note(child)
        self.start_waiting()
        return [child.name for child in named]

    def _restart(self, child: Child) -> None:
        child.failed = False
        if not child.running:
            child.become("waiting")
            return
        child.after_exit = "again"
        if child.spec.core:
            child.kill("restarted by hand")
        else:
            self.drain(child)

    def remove(self, name: str) -> None:
        """End an agent or a convoy that the configuration does not name any more."""
        for child in self.named(name):
            child.after_exit = "remove"
            if child.running:
                self.drain(child)
            else:
                self._forget(child)
        self.convoys.pop(name, None)

    def fit(self, convoy: Convoy) -> None:
        """Bring a convoy to its size: start what is missing, drain what is too much."""
        if convoy.stopped:
            return
        workers = self.workers(convoy)
        staying = [child for child in workers if child.after_exit != "remove"]
        taken = set(self.children)  # an agent that still ends may have such a name too
        numbers = itertools.count(1)
        while len(staying) < convoy.size:
            spec = next(spec for number in numbers if (spec := convoy.spec(number)).name not in taken)
            staying.append(self._add(spec))
            self._past.enter(staying[-1], "waiting")
        # Those in quarantine go first, then idle ones; among those the youngest.
        order = sorted(staying, key=lambda c: (c.state == "busy", c.state != "quarantined", -c.spawned))
        surplus = order[: len(staying) - convoy.size]
        for child in surplus:
            if child.running:
                child.after_exit = "remove"
                self.drain(child)
            else:
                self._forget(child)
        for child in self.workers(convoy):
            if child.running:
                self._host.tell(child.address, Share(convoy.size))
        self.start_waiting()
