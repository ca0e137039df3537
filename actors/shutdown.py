"""Stopping a squad in good order: agents finish, then everybody else goes, storage last.

A small state machine that the supervisor steps: at each child's end and once a second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from squad.actors.children import Child
from squad.actors.protocol import Address, Drain
from squad.actors.tree import iso

_CORE_GRACE = 5.0  # seconds for releases to be committed, and for each of gateway, monitor and storage to end


class Shutdown:
    """``begin`` and then ``step`` until it returns True. Ends every child; names what was left unfinished."""

    def __init__(
        self,
        home: Path,
        children: list[Child],
        hands: Path,
        tell: Callable[[Address, Any], None],
        released: Callable[[], bool],
    ) -> None:
        self._home = home
        self._hands = hands
        self._tell = tell
        self._released = released
        agents = [child for child in children if not child.spec.core]
        core = {child.spec.kind: child for child in children if child.spec.core}
        self._stages = [agents, [core["gateway"], core["monitor"]], [core["storage"]]]
        self._asked = False
        self._deadline = 0.0
        self._release_by: float | None = None
        self._unfinished: list[dict[str, str]] = []
        self._forced = False

    def begin(self, grace: float) -> None:
        """Start, or shorten the grace of a stop that is under way. ``grace`` is in seconds for running handlers."""
        self._forced = self._forced or grace <= 0
        deadline = time.monotonic() + grace
        if self._asked and len(self._stages) == 3:
            self._deadline = min(self._deadline, deadline)
        elif not self._asked:
            self._ask(deadline)

    def _ask(self, deadline: float) -> None:
        self._asked, self._deadline = True, deadline
        for child in self._stages[0]:
            if child.running:
                child.after_exit = "restart"
                self._tell(child.address, Drain())
                child.become("draining")
            else:
                child.become("stopped")

    def step(self) -> bool:
        """Go on as far as possible now. True when nothing runs any more."""
        while self._stages:
            running = [child for child in self._stages[0] if child.running]
            if running:
                if time.monotonic() >= self._deadline:
                    for child in running:
                        self._cut(child)
                return False
            if not self._committed():
                return False
            self._stages.pop(0)
            if self._stages:
                self._ask(time.monotonic() + _CORE_GRACE)
        self._write()
        return True

    def _committed(self) -> bool:
        """Whether storage has taken back the leases of the agents, so that the next start finds them queued."""
        if len(self._stages) != 3 or self._released():
            return True
        if self._release_by is None:
            self._release_by = time.monotonic() + _CORE_GRACE
        return time.monotonic() >= self._release_by  # the next start takes them back then

    def _cut(self, child: Child) -> None:
        hand = child.hand(self._hands)
        if not child.killed_for and hand is not None:
            self._unfinished.append({"agent": child.spec.recipient, "id": hand.task_id, "type": hand.type})
        child.kill("did not finish in time")

    def _write(self) -> None:
        document = {"at": iso(time.time()), "unfinished": self._unfinished, "forced": self._forced}
        path = self._home / "last_stop.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps(document))
        new.replace(path)
