"""Reading messages from the command line: one JSON object, or a file with one message on each line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from squad.durations import parse_duration
from squad.errors import Problem, RefusedError, UsageError

_FIELDS = ("recipient", "type", "payload", "priority", "sender", "delay", "key", "id")


def read_payload(data: str | None) -> dict[str, Any]:
    """The object that ``--data`` gives: JSON, ``@FILE`` or ``-`` for standard input. Raises RefusedError, UsageError."""
    if data is None:
        return {}
    if data == "-":
        where, text = "standard input", _text("-")
    elif data.startswith("@"):
        where, text = data[1:], _text(data[1:])
    else:
        where, text = "--data", data
    return _object(text, where, "the payload is not a JSON object")


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of a batch file, and the line of each."""

    name: str
    messages: list[dict[str, Any]]
    lines: list[int]

    def located(self, problem: Problem) -> Problem:
        """The same problem with the file's line in place of the number of the message (blank lines do not count)."""
        word, _, rest = problem.where.partition(" ")
        number, colon, field = rest.partition(":")
        if word != "line" or not number.isdigit() or not 0 < int(number) <= len(self.lines):
            return problem
        return replace(problem, where=f"{self.name}:{self.lines[int(number) - 1]}{colon}{field}")


def read_batch(file: str) -> Batch:
    """The messages in a file of JSON lines (``-``: standard input), all of them looked at before any is sent.

    Raises RefusedError naming every line that is not ``{"recipient", "type", "payload", ...}``.
    """
    name = "standard input" if file == "-" else file
    batch = Batch(name, [], [])
    problems: list[Problem] = []
    for number, line in enumerate(_text(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            message = _object(line, "", "")
        except RefusedError as error:
            problems += [replace(problem, where=f"{name}:{number}") for problem in error.problems]
            continue
        found = [Problem(f"{name}:{number}", what) for what in _mistakes(message)]
        problems += found
        if not found:
            batch.messages.append(message)
            batch.lines.append(number)
    if problems:
        raise RefusedError("the batch has mistakes, and nothing was queued", problems=problems)
    if not batch.messages:
        raise RefusedError(f"there is no message in {name}", hint='one {"recipient": …, "type": …} on each line')
    return batch


def _mistakes(message: dict[str, Any]) -> Iterator[str]:
    """What a look at one message alone can tell; the gateway knows the rest. A delay becomes seconds."""
    for field in ("recipient", "type"):
        if not isinstance(message.get(field), str):
            yield f"{field!r} is missing" if field not in message else f"{field!r} must be text"
    for field in message:
        if field not in _FIELDS:
            from squad.messages import did_you_mean

            near = did_you_mean(field, _FIELDS)
            yield f"{field!r} is no field of a message{f' ({near})' if near else ''}"
    priority = message.get("priority", 5)
    if not isinstance(priority, int) or isinstance(priority, bool) or not 1 <= priority <= 10:
        yield "'priority' must be a whole number from 1 (highest) to 10"
    if "delay" in message:
        try:
            message["delay"] = parse_duration(message["delay"])
        except (ValueError, AttributeError):
            yield f"'delay' must be seconds or text such as '10s', not {json.dumps(message['delay'])[:60]}"


def _object(text: str, where: str, refusal: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}" if "\n" in text else f"column {error.colno}"
        raise RefusedError(refusal, problems=[Problem(where, f"not JSON: {error.msg} at {at}")]) from None
    except (ValueError, RecursionError) as error:
        raise RefusedError(refusal, problems=[Problem(where, f"not JSON: {error}")]) from None
    if not isinstance(value, dict):
        kind = {list: "a list", str: "text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
        raise RefusedError(refusal, problems=[Problem(where, f"must be a JSON object, not {kind}")])
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _text(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{file!r} cannot be read: {reason}") from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file!r} is not UTF-8 text: {error.reason} at byte {error.start}") from None
