"""Health checks: everybody is pinged now and then; who stays silent is shown as hung, and then ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from squad.actors.protocol import Address, Ping
from squad.actors.supervision.children import Child
from squad.config.supervision import HealthConfig


class Health:
    """The supervisor's checks of ``children``. Its ``check`` and ``look`` are called by the supervisor's timers."""

    def __init__(
        self,
        rules: HealthConfig,
        children: Callable[[], Iterable[Child]],
        tell: Callable[[Address, Any], None],
        log: logging.Logger,
    ) -> None:
        self.rules = rules
        self._children = children
        self._tell = tell
        self._log = log
        self._number = 0
        self._looked = 0.0  # monotonic: the last look, or the check with which this chain of looks began
        self._looking = False  # a look is due

    def check(self) -> bool:
        """Ping everybody. True: a ``look`` is due ``rules.timeout`` seconds later, and not already on its way."""
        self._number += 1
        now = time.monotonic()
        for child in self._children():
            if child.running and child.started:
                child.pinged = child.pinged or now
                self._tell(child.address, Ping(self._number))
        if self._looking:
            return False
        self._looked, self._looking = now, True
        return True

    def look(self) -> bool:
        """Ask those again that did not answer, and end those that stay silent. True: look again after a timeout.

        When the look itself comes late, this process was stopped or starved, perhaps with all the others: then nobody's
        silence counts, and it begins anew.
        """
        silent = [c for c in self._children() if c.running and c.started and c.pinged is not None]
        before, self._looked = self._looked, time.monotonic()
        late = self._looked - before > 2 * self.rules.timeout
        for child in silent:
            quiet = self._looked - (child.pinged or 0.0)
            if late:
                child.pinged = self._looked
                self._tell(child.address, Ping(self._number))
            elif child.killed_for:
                continue  # the kernel has not let go of it yet
            elif quiet >= self.rules.hung_after:
                self._log.error("%s has been silent for %.0f s: ending it", child.name, quiet)
                child.condemn(f"hung: silent for {quiet:.0f} s", "hung")
            elif quiet >= self.rules.timeout:
                if child.state != "hung":
                    self._log.warning("%s does not answer its health check", child.name)
                    child.become("hung")
                self._tell(child.address, Ping(self._number))
        self._looking = bool(silent)
        return self._looking

    @staticmethod
    def answered(child: Child) -> None:
        """It said something: a Pong or a Report."""
        child.heard, child.pinged = time.monotonic(), None
        if child.state == "hung" and child.running:
            child.become(child.report.state if child.report else "ready")
