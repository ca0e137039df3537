"""What the supervisor does about the monitor's news: it holds the squad back on an overloaded machine, and ends who
takes too much of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from squad.actors.protocol import Address, Machine, OverCeiling, Record, Throttle
from squad.actors.supervision.lifecycle import Lifecycle
from squad.actors.supervision.uptime import Uptime
from squad.events import event


class Strain:
    """``throttled``: the seconds between two hand-outs of messages, 0 mostly, and why."""

    def __init__(self, life: Lifecycle, tell: Callable[[Address, Any], None], log: logging.Logger) -> None:
        self.throttled: tuple[float, str] = (0.0, "")
        self._life = life
        self._tell = tell
        self._log = log
        self._uptime = Uptime()

    def read(self, msg: Machine) -> bool:
        """Record a reading. Whether the throttle has changed."""
        journal, squad = self._life.journal, self._life.config.name
        uptime = self._uptime.look(self._life.children.values())
        journal.record(Record(samples=(msg.sample,), metrics=(*msg.metrics, *uptime)))
        before = self.throttled[0]
        if msg.pause == before:
            return False
        why = msg.reason or "another monitor finds room"  # one that is new does not know of a throttle before it
        self.throttled = (msg.pause, why)
        self.tell_storage()
        self._log.info("%g s pass between two hand-outs of messages: %s", msg.pause, why)
        if not before:
            self._log.warning("the squad is overloaded: %s", why)
            journal.note(event("overloaded", squad, reason=why))
        elif not msg.pause:
            self._log.warning("the squad is overloaded no more: %s", why)
            journal.note(event("relieved", squad, reason=why))
        return True

    def tell_storage(self) -> None:
        """Also to be called when another storage serves."""
        if self._life.storage.ready:
            self._tell(self._life.storage.address, Throttle(self.throttled[0]))

    def judged(self, msg: OverCeiling) -> None:
        """A process is near its ceiling, or over it: then it is ended, with all that is below it."""
        child = self._life.by_worker(msg.worker)
        if child is None or not child.running or child.killed_for:
            return
        if not msg.over:
            self._log.warning("%s: %s", child.name, msg.what)
            self._life.journal.note(event("near_ceiling", child.name, reason=msg.what))
        else:
            self._log.error("%s is ended: %s", child.name, msg.what)
            self._life.journal.note(event("over_ceiling", child.name, reason=msg.what))
            child.condemn(msg.what, "ceiling", all_below=True)
