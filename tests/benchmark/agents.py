"""The agents that the benchmark measures. Copied beside its configuration."""

from __future__ import annotations

import time

from squad import Agent, Context, handles, message


@message("noop")
class Noop:
    data: str


@message("clock")
class Clock:
    pass


class Worker(Agent):
    @handles(Noop)
    def noop(self, msg: Noop, ctx: Context) -> None:
        """Nothing: what is left is the runtime's own cost."""

    @handles(Clock)
    def clock(self, msg: Clock, ctx: Context) -> float:
        """When the handler began, in seconds since the epoch."""
        return time.time()
