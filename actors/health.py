"""Health checks: everybody is pinged now and then; who stays silent is shown as hung, and then ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from squad.actors.children import Child
from squad.actors.protocol import Address, Ping
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

    def check(self) -> None:
        """Ping everybody. ``look`` is due ``rules.timeout`` seconds later."""
        self._number += 1
        for child in self._children():
            if child.running and child.started:
                child.pinged = child.pinged or time.monotonic()
                self._tell(child.address, Ping(self._number))

    def look(self) -> bool:
        """Ask those again that did not answer, and end those that stay silent. True: look again after a timeout."""
        silent = [c for c in self._children() if c.running and c.started and c.pinged is not None]
        for child in silent:
            quiet = time.monotonic() - (child.pinged or 0.0)
            if quiet >= self.rules.hung_after:
                self._log.error("%s has been silent for %.0f s: ending it", child.name, quiet)
                child.kill(f"hung: silent for {quiet:.0f} s")
            elif quiet >= self.rules.timeout:
                if child.state != "hung":
                    self._log.warning("%s does not answer its health check", child.name)
                    child.become("hung")
                self._tell(child.address, Ping(self._number))
        return bool(silent)

    @staticmethod
    def answered(child: Child) -> None:
        """It said something: a Pong or a Report."""
        child.heard, child.pinged = time.monotonic(), None
        if child.state == "hung" and child.running:
            child.become(child.report.state if child.report else "ready")
