"""The agents that take part for Squad. Copied beside their configuration."""

from __future__ import annotations

from pathlib import Path

from squad import Agent, Context, handles, message
from tests.benchmark.queues.contest import Journal


@message("task")
class Task:
    number: int
    data: str


class Worker(Agent):
    def start(self) -> None:
        self.journal = Journal(Path(self.options["journal"]))

    @handles(Task)
    def task(self, msg: Task, ctx: Context) -> None:
        self.journal.handled({"number": msg.number})
