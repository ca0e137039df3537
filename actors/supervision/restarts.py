"""Whether a crashed process is started again, and when. Pure: the caller gives time and chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from squad.actors.broker.retry import exponential
from squad.config.supervision import RestartConfig


@dataclass(slots=True)
class RestartBudget:
    """Restart intensity as in Erlang/OTP's ``supervisor``, with a backoff between restarts, which OTP has not.

    Up to ``intensity`` restarts within ``period`` seconds are allowed; the next is refused, and its process is
    quarantined. The first restart is immediate, since most crashes do not repeat. Each further one waits ``backoff``
    seconds, doubled each time up to ``cap``, less a random part of ``jitter`` (see ``squad.actors.broker.retry``). A
    process that ran for ``period`` seconds counts as well again: the backoff starts over.

    Weakness, shared with OTP: a process that crashes just slower than the intensity is restarted for ever. Its backoff
    keeps growing to ``cap`` as long as it does not run for a whole ``period``.
    """

    intensity: int
    period: float
    backoff: float
    cap: float
    jitter: float
    random: Callable[[], float]
    _crashes: list[float] = field(default_factory=list, init=False)
    _step: int = field(default=0, init=False)  # restarts since it last ran well
    _resumed: float = field(default=0.0, init=False)  # when it was last started again; of no meaning while _step is 0

    def crashed(self, now: float) -> float | None:
        """Seconds to wait before the next start; None when it is not to be started again. ``now`` in seconds."""
        self._crashes = [at for at in self._crashes if now - at < self.period] + [now]
        if len(self._crashes) > self.intensity:
            return None
        if now - self._resumed >= self.period:
            self._step = 0
        delay = 0.0
        if self._step:
            delay = exponential(self._step - 1, self.backoff, self.cap, self.jitter, self.random)
        self._step += 1
        self._resumed = now + delay
        return delay

    def reset(self) -> None:
        """Forget every crash: somebody has restarted it by hand."""
        self._crashes = []
        self._step = 0

    def follow(self, rules: RestartConfig) -> None:
        """Other rules from now on; its history stays."""
        self.intensity, self.period = rules.intensity, rules.period
        self.backoff, self.cap, self.jitter = rules.backoff, rules.cap, rules.jitter

    def kept(self) -> list[Any]:
        """Its history, for ``recall``; JSON can say it."""
        return [self._crashes, self._step, self._resumed]

    def recall(self, kept: list[Any]) -> None:
        """Take up the history of another that told the time by the same clock."""
        self._crashes, self._step, self._resumed = kept

    @property
    def history(self) -> tuple[float, ...]:
        """When it crashed, oldest first: the crashes that still counted at the last one."""
        return tuple(self._crashes)


def budget_of(rules: RestartConfig) -> RestartBudget:
    """A new budget by the configuration's rules."""
    return RestartBudget(rules.intensity, rules.period, rules.backoff, rules.cap, rules.jitter, random.random)
