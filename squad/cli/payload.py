"""Reading a message's fields from the command line, a file or standard input."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from squad.errors import Problem, RefusedError, UsageError


def read_payload(data: str | None) -> dict[str, Any]:
    """The object that ``--data`` gives: JSON, ``@FILE`` or ``-`` (standard input). Raises RefusedError, UsageError."""
    if data is None:
        return {}
    if data == "-" or data.startswith("@"):
        file = data.removeprefix("@")
        return parse_payload(read_file(file), "standard input" if data == "-" else file)
    return _object(data, "--data")


def parse_payload(content: bytes, where: str) -> dict[str, Any]:
    """The object in a file or another place, which is named in the error. Raises RefusedError."""
    return _object(_decoded(content, where), where)


def read_file(file: str) -> bytes:
    """What is in a file, or with ``-`` on standard input. Raises UsageError."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file!r} cannot be read: {error.strerror}") from None
    except ValueError as error:  # a NUL in its name
        raise UsageError(f"{file!r} is no file: {error}") from None


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _refused(file, f"is not UTF-8 text: {error.reason} at byte {error.start}") from None


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_pair_twice)
    except json.JSONDecodeError as error:
        raise _refused(where, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _refused(where, "is not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise _refused(where, f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        kind = {list: "a list", str: "text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
        raise _refused(where, f"must be a JSON object, not {kind}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"there is no number {name} in it")


def _no_pair_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(f"the key {Counter(key for key, _ in pairs).most_common(1)[0][0]!r} is given twice")
    return made


def _refused(where: str, what: str) -> RefusedError:
    return RefusedError("the payload is no JSON object", problems=[Problem(where, what)])
