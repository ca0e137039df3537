"""Agents that are commands: for each message a program is run, and what it does and says is the message's end.

To the rest of Squad such an agent is a class like any other, which is made here. Its one handler runs the program in
the agent's nursery.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from squad.actors.agents.commandrun import Ended, Job
from squad.actors.agents.context import Context
from squad.actors.agents.handlers import Agent
from squad.actors.agents.nursery import HOME, TASK, Nursery, NurseryLostError, end_tasks
from squad.actors.transport.processes import CRASHED
from squad.config.commands import PASSED
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
from squad.jsontext import compact, parse_json
from squad.messages import MessageType, did_you_mean

if TYPE_CHECKING:
    from squad.config.schema import AgentConfig

CANCELLED, STOPPED = "cancelled", "stopped"  # what a command may be ended for, beside its time-out

_PROBLEMS_NAMED = 20  # of the messages that a command writes
_SHOWN = 200  # characters of its last words in the first line of an error
_MARK = "SQUAD_MARK"
TRACE = "TRACEPARENT"  # the variable in which programs pass on which trace they belong to
_OPTIONS = ("priority", "delay", "at", "ttl", "key", "reply_to", "reply_timeout")


def command_class(
    name: str, settings: AgentConfig, base_dir: Path, types: Mapping[str, MessageType]
) -> type[CommandAgent]:
    """The class of an agent with a command. A type that is not among ``types`` it does not handle."""
    made: type[CommandAgent] = type("CommandAgent", (CommandAgent,), {"__module__": __name__})
    made.handlers = {kind: (types[kind], "run") for kind in settings.handles if kind in types}
    made.agent_name, made.settings, made.base_dir = name, settings, base_dir
    return made


class CommandAgent(Agent):
    """Base of the classes that ``command_class`` makes. ``settle`` comes before ``start``."""

    agent_name: ClassVar[str]
    settings: ClassVar[AgentConfig]
    base_dir: ClassVar[Path]

    def settle(self, nursery: Nursery, worker: str, home: Path) -> None:
        """Give it what it needs of its process. ``worker`` is the process's name in leases."""
        self._nursery = nursery
        self._worker = worker
        self._home = home

    def start(self) -> None:
        """Raises ConfigError when the program cannot be run."""
        command = self.settings.command or []
        self._arguments = [parse(text) for text in command]
        fixed = {"python": sys.executable, "home": str(self._home)}
        try:
            name = fill(self._arguments[0], fixed)
            self._program = str(find_program(name, self.base_dir, path_of(self.settings, os.environ)))
        except (PlaceholderError, ProgramError) as error:
            raise ConfigError(f"{command[0]}: {error}", hint=error.hint) from None
        self._name = Path(name).name
        self._directory = str(self.base_dir / (self.settings.directory or ""))
        allowed = (*PASSED, *self.settings.environment.allow, _MARK)
        passed = {name: os.environ[name] for name in allowed if name in os.environ}
        self._environment = {**passed, **self.settings.environment.set, HOME: str(self._home)}
        self._end_what_was_left()

    def _end_what_was_left(self) -> None:
        """A nursery that was killed together with its agent could not end what it ran."""
        name = self._worker.rpartition(".")[0]
        started_before = self._home / "run" / "commands" / name  # the folder run is emptied before a squad starts
        if started_before.exists():
            end_tasks(str(self._home), f"{name}.")
        started_before.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        started_before.touch(mode=0o600)

    def stop(self) -> None:
        self._nursery.close()

    def run(self, payload: Any, ctx: Context) -> Any:
        """Handle one message."""
        kind, _ = self.handlers[ctx.type]
        fields = payload if isinstance(payload, dict) else json.loads(kind.encode(payload))
        values = {
            "payload": fields,
            "message_id": ctx.message_id,
            "type": ctx.type,
            "attempt": ctx.attempt,
            "home": str(self._home),
            "python": sys.executable,
        }
        try:
            arguments = tuple(fill(argument, values) for argument in self._arguments)
        except PlaceholderError as error:
            raise Refuse(f"{error}; {error.hint}" if error.hint else str(error)) from None
        label = f"{self._worker}/{ctx.message_id}"
        ended = self._run_job(
            Job(
                label=label,
                program=self._program,
                arguments=arguments,
                directory=self._directory,
                environment={**self._environment, TASK: label, **({TRACE: ctx.traceparent} if ctx.traced else {})},
                input=self._input(fields, ctx),
                timeout=self.settings.timeout,
                output_limit=self.settings.output_limit,
            ),
            ctx,
        )
        self._judge(ended)
        return _result(ended) if self.settings.output == "result" else self._send_all(ended, ctx)

    def _input(self, payload: dict[str, Any], ctx: Context) -> bytes:
        message = {
            "id": ctx.message_id,
            "type": ctx.type,
            "payload": payload,
            "attempt": ctx.attempt,
            "sender": ctx.sender,
            "priority": ctx.priority,
            "agent": self.agent_name,
            "options": self.options,
        }
        return json.dumps(message, separators=(",", ":")).encode() + b"\n"

    def _run_job(self, job: Job, ctx: Context) -> Ended:
        def heard(lines: list[str]) -> None:
            for line in lines:
                ctx.log.info("%s: %s", self._name, line)

        try:
            ended = self._nursery.run(job, heard)
        except NurseryLostError as error:
            # A thread cannot fork another one safely: this process ends like one that crashed, and is started again.
            ctx.log.critical("%s; what it ran was ended as well", error)
            os._exit(CRASHED)
        if ended.left:
            ctx.log.warning("%s left %d processes running, which were ended", self._name, ended.left)
        return ended

    # -- how it ended -----------------------------------------------------------------------------------------------

    def _judge(self, ended: Ended) -> None:
        """Return when the command is done; raise what any other end of it means."""
        codes = self.settings.exit_codes
        if ended.problem:
            raise CommandFailedError(f"{self._name} could not be started: {ended.problem}")
        if ended.why == STOPPED:
            threading.Event().wait()  # the supervisor ends this process next, and says what was not finished
        if ended.why == CANCELLED:
            raise CommandFailedError(f"{self._name} was ended: its message is cancelled")
        if ended.why:
            limit = f"{self._name} ran longer than its time-out of {self.settings.timeout:g} s"
            raise CommandTimeoutError(_with_last_words(limit, ended))
        if ended.status == 0:
            return
        text = _with_last_words(f"{self._name} {_fate(ended.status)}", ended)
        if ended.status in codes.retry:
            raise RetryAfter(codes.retry_after, text)
        if ended.status in codes.refuse:
            raise Refuse(text)
        raise CommandFailedError(text)

    # -- messages that it sends -------------------------------------------------------------------------------------

    def _send_all(self, ended: Ended, ctx: Context) -> dict[str, int]:
        """Send what the command wrote, one JSON object a line: all of it or, if anything is wrong, nothing.

        Raises RefusedError naming what is wrong by line.
        """
        if ended.output_cut:
            raise self._refusal([Problem("", f"is longer than output_limit, {self.settings.output_limit:,} bytes")])
        problems: list[Problem] = []
        sent = 0
        for number, line in enumerate(ended.output.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                recipient, kind, payload, options = _message(line)
                ctx.send(recipient, kind, payload, **options)
                sent += 1
            except RateLimitError:
                raise
            except RefusedError as error:
                for problem in error.problems or (Problem("", error.message, error.hint),):
                    where = f"line {number}: {problem.where}" if problem.where else f"line {number}"
                    problems.append(Problem(where, problem.what, problem.hint))
            except (TypeError, ValueError) as error:
                problems.append(Problem(f"line {number}", str(error)))
        if problems:
            raise self._refusal(problems)
        return {"sent": sent}

    def _refusal(self, problems: list[Problem]) -> RefusedError:
        more = len(problems) - _PROBLEMS_NAMED
        named = [*problems[:_PROBLEMS_NAMED], *([Problem("", f"and {more:,} more mistakes")] if more > 0 else [])]
        return RefusedError(f"what {self._name} wrote is not messages to send", problems=named)


def _message(line: bytes) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """(recipient, type, payload, options) of one message as a command writes it. Raises RefusedError."""
    try:
        message = _parsed(line)
    except ValueError as error:
        raise RefusedError(f"is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise RefusedError('is not a JSON object such as {"recipient", "type", "payload"}')
    known = ("recipient", "type", "payload", *_OPTIONS)
    problems = [
        Problem(key, "is not a field of a message", did_you_mean(key, known)) for key in message if key not in known
    ]
    for key, kind, name in (("recipient", str, "text"), ("type", str, "text"), ("payload", dict, "a JSON object")):
        if key not in message and key != "payload":
            problems.append(Problem(key, "is missing"))
        elif not isinstance(message.get(key, {}), kind) and key in message:
            problems.append(Problem(key, f"must be {name}"))
    if problems:
        raise RefusedError("is no message", problems=problems)
    options = {key: message[key] for key in _OPTIONS if message.get(key) is not None}
    return message["recipient"], message["type"], message.get("payload", {}), options


def _result(ended: Ended) -> Any:
    """Standard output as JSON if it is that, otherwise as text; None when there was none."""
    if ended.output_cut:
        text = ended.output.decode(errors="replace")
        return f"({ended.output_cut:,} bytes before this were cut)\n{text}"
    if not ended.output.strip():
        return None
    try:
        return _parsed(ended.output)
    except ValueError:
        return ended.output.decode(errors="replace").removesuffix("\n")


def _parsed(data: bytes) -> Any:
    """JSON that can be stored. Raises ValueError for anything else."""
    try:
        value = parse_json(data.decode())
        compact(value).encode()  # half a character could not be stored, nor a number beyond what a float holds
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _fate(status: int) -> str:
    if status > 0:
        return f"ended with status {status}"
    return f"was ended by signal {-status} ({signal.strsignal(-status)})"


def _with_last_words(text: str, ended: Ended) -> str:
    """The last line that the command said, and all that was kept of it below."""
    said = (ended.errors.strip() or ended.output[-_SHOWN:].strip()).decode(errors="replace")
    if not said:
        return text
    *before, last = said.splitlines()
    first = f"{text}: {last if len(last) <= _SHOWN else last[: _SHOWN - 3] + '...'}"
    return f"{first}\n{said}" if before else first
