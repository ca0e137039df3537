"""Stopping a squad in good order: agents finish, then everybody else goes, storage last.

A small state machine that the supervisor steps: at each child's end and once a second.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from squad.actors.broker.trouble import DAMAGED
from squad.actors.protocol import Address, Drain
from squad.actors.supervision.children import Child
from squad.actors.supervision.lifecycle import Lifecycle
from squad.store.times import iso

_STAGES = 3  # agents; gateway, monitor and the like; storage
_CORE_GRACE = 5.0  # seconds for releases to be committed, and for each of gateway, monitor and storage to end


class Shutdown:
    """``begin`` and then ``step`` until it returns True. Ends every child; names what was left unfinished."""

    def __init__(self, home: Path, life: Lifecycle, tell: Callable[[Address, Any], None]) -> None:
        self._home = home
        self._life = life
        self._tell = tell
        children = list(life.children.values())
        agents = [child for child in children if not child.spec.core]
        storage = [child for child in children if child.spec.kind == "storage"]
        rest = [child for child in children if child.spec.core and child not in storage]
        self._stages = [agents, rest, storage]
        self._asked_at: float | None = None  # monotonic: when the first stage was asked to end
        self._deadlines: dict[str, float] = {}
        self._release_by: float | None = None
        self._unfinished: list[dict[str, str]] = []
        self._forced = False

    def begin(self, grace: float) -> None:
        """Start, or hurry a stop that is under way: ``grace`` 0 ends what still runs at once.

        Otherwise each agent has its own grace, in seconds, for its running handler.
        """
        self._forced = self._forced or grace <= 0
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._ask(self._life.grace)

    def _ask(self, grace_of: Callable[[Child], float]) -> None:
        now = time.monotonic()
        for child in self._stages[0]:
            if child.running:
                self._deadlines[child.name] = now + grace_of(child)
                self._tell(child.address, Drain())
                child.become("draining")
            else:
                child.become("stopped")

    def step(self) -> bool:
        """Go on as far as possible now. True when nothing runs any more."""
        while self._stages:
            running = [child for child in self._stages[0] if child.running]
            if running:
                agents = len(self._stages) == _STAGES
                for child in running:
                    if time.monotonic() >= self._deadlines[child.name] or (agents and self._in_vain(child)):
                        self._cut(child)
                return False
            if not self._committed():
                return False
            self._stages.pop(0)
            if self._stages:
                self._ask(lambda child: _CORE_GRACE)
        self._write()
        return True

    def _in_vain(self, child: Child) -> bool:
        """Whether to give an agent time is no use: nobody wants to wait, or it waits for a storage that gave up."""
        return self._forced or (self._life.storage.state == DAMAGED and child.hand(self._life.hands) is None)

    def _committed(self) -> bool:
        """Whether storage has taken back the leases of the agents, so that the next start finds them queued."""
        if len(self._stages) != _STAGES or not self._life.journal.unreleased:
            return True
        if self._release_by is None:
            self._release_by = time.monotonic() + _CORE_GRACE
        return time.monotonic() >= self._release_by  # the next start takes them back then

    def _cut(self, child: Child) -> None:
        hand = child.hand(self._life.hands)
        if not child.killed_for and hand is not None:
            self._unfinished.append({"agent": child.spec.recipient, "id": hand.task_id, "type": hand.type})
        child.kill("did not finish in time")

    def _write(self) -> None:
        document = {"at": iso(time.time()), "unfinished": self._unfinished, "forced": self._forced}
        path = self._home / "last_stop.json"
        new = path.with_suffix(".new")
        with contextlib.suppress(OSError):  # on a full disk nobody hears of it; the messages are queued all the same
            new.write_text(json.dumps(document))
            new.replace(path)
