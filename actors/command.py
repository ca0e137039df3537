"""Agents that are commands: for each message a program is run, and what it does and says is the message's end.

To the rest of Squad such an agent is a class like any other, which is made here. Its only handler runs the program in
the agent's nursery.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from squad.actors.context import Context
from squad.actors.handlers import Agent
from squad.actors.nursery import HOME, TASK, Ended, Job, Nursery, NurseryLostError
from squad.actors.transport.processes import CRASHED
from squad.config.commands import PASSED, Kind
from squad.config.placeholders import PlaceholderError, fill, parse
from squad.config.programs import ProgramError, find_program, path_of
from squad.errors import (
    CommandFailedError,
    CommandTimeoutError,
    ConfigError,
    Problem,
    RateLimitError,
    Refuse,
    RefusedError,
    RetryAfter,
)
from squad.messages import MessageType, did_you_mean

CANCELLED, STOPPED = "cancelled", "stopped"  # what a command may be ended for, beside its time-out

_PROBLEMS_NAMED = 20  # of the messages that a command writes
_FIELDS = ("recipient", "type", "payload", "priority", "delay", "at", "ttl", "key", "reply_to", "reply_timeout")
_MARK = "SQUAD_MARK"


def command_class(
    name: str, settings: Kind, base_dir: Path, types: Mapping[str, MessageType]
) -> type[CommandAgent]:
    """The class of an agent with a command. Types that are not in ``types`` it does not handle."""
    made: type[CommandAgent] = type("CommandAgent", (CommandAgent,), {"__module__": __name__})
    made.handlers = {kind: (types[kind], "run") for kind in settings.handles if kind in types}
    made.agent_name, made.settings, made.base_dir = name, settings, base_dir
    return made


class CommandAgent(Agent):
    """Base of the classes that ``command_class`` makes."""

    agent_name: ClassVar[str]
    settings: ClassVar[Any]  # an AgentConfig or a ConvoyConfig
    base_dir: ClassVar[Path]
    nursery: Nursery  # given to it before its start
    worker: str  # likewise: its process's name

    def start(self) -> None:
        """Raises ConfigError when the program cannot be run."""
        self._arguments = [parse(text) for text in self.settings.command]
        self._directory = str(self.base_dir / (self.settings.directory or ""))
        self._fixed = {"python": sys.executable}

    def stop(self) -> None:
        self.nursery.close()

    def run(self, payload: Any, ctx: Context) -> Any:
        """Handle a message."""
        values = {
            "payload": payload if isinstance(payload, dict) else vars(payload),
            "message_id": ctx.message_id,
            "type": ctx.type,
            "attempt": ctx.attempt,
            "home": str(ctx.home),
            "python": sys.executable,
        }
        try:
            arguments = tuple(fill(argument, values) for argument in self._arguments)
        except PlaceholderError as error:
            raise Refuse(str(error)) from None
        job = Job(
            label=f"{self.worker}/{ctx.message_id}",
            program=self._program(arguments[0]),
            arguments=arguments,
            directory=self._directory,
            environment=self._environment(ctx),
            input=self._input(values["payload"], ctx),
            timeout=self.settings.timeout,
            output_limit=self.settings.output_limit,
        )
        return self._judge(self._run(job, ctx), Path(arguments[0]).name, ctx)
