"""Routes that say of themselves what they take and what they answer; the description of the interface is made of it.

A query is read by the parameters that are declared, so what is described is what is checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from squad.actors.gateway.catalogue import shown
from squad.durations import parse_duration
from squad.errors import Problem, UsageError
from squad.messages import did_you_mean
from squad.moments import parse_moment

Schema = dict[str, Any]

_LONGEST = 1000  # characters
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of a query. ``read`` raises ValueError, whose text says what it must be."""

    name: str
    meaning: str
    read: Callable[[str], Any]
    schema: Schema
    default: Any = None


class Endpoint(Route):
    """``body`` and ``answer`` are JSON Schemas; ``media`` is the type of what is not JSON."""

    def __init__(  # noqa: PLR0913 - what a route says of itself, by name
        self,
        method: str,
        path: str,
        function: Callable[[Request], Any],
        meaning: str,
        *,
        answer: Schema | str,
        query: Sequence[Parameter] = (),
        body: Schema | None = None,
        body_type: str = "application/json",
        status: int = 200,
        also: dict[int, str] | None = None,
    ) -> None:
        super().__init__(path, function, methods=[method])
        self.method = method
        self.meaning = meaning
        self.answer = answer
        self.query = tuple(query)
        self.body = body
        self.body_type = body_type
        self.status = status
        self.also = also or {}


def read_query(request: Request, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The values by name, defaults with them. Raises UsageError naming all bad values, and all that is no parameter."""
    known = {parameter.name: parameter for parameter in parameters}
    found = {name: parameter.default for name, parameter in known.items()}
    problems = []
    for name, value in request.query_params.items():
        if name not in known:
            hint = did_you_mean(name, known) or f"there are: {', '.join(known) or 'none'}"
            problems.append(Problem(shown(name), "is not a parameter of this request", hint))
            continue
        try:
            found[name] = known[name].read(value)
        except ValueError as error:
            problems.append(Problem(name, f"must be {error}, not {shown(value)}"))
    if len(problems) == 1:
        raise UsageError(f"{problems[0].where} {problems[0].what}", hint=problems[0].hint)
    if problems:
        what = f"{len(problems)} parameters of this request are wrong"
        raise UsageError(what, hint="GET /v1/openapi.json describes them", problems=problems)
    return found


def text(name: str, meaning: str) -> Parameter:
    def read(value: str) -> str:
        if not 0 < len(value) <= _LONGEST:
            raise ValueError(f"a text of 1 to {_LONGEST:,} characters")
        return value

    return Parameter(name, meaning, read, {"type": "string", "minLength": 1, "maxLength": _LONGEST})


def texts(name: str, meaning: str) -> Parameter:
    """Several, with commas between them. None given: ``()``."""
    item: Schema = {"type": "string", "minLength": 1, "pattern": "^[^,]+$"}

    def read(value: str) -> tuple[str, ...]:
        if not 0 < len(value) <= _LONGEST or not all(parts := value.split(",")):
            raise ValueError(f"texts with commas between them, {_LONGEST:,} characters at most")
        return tuple(parts)

    return Parameter(name, meaning, read, {"type": "array", "items": item}, ())


def choice(name: str, meaning: str, choices: Sequence[str]) -> Parameter:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value

    return Parameter(name, meaning, read, {"type": "string", "enum": list(choices)})


def number(name: str, meaning: str, least: int, most: int, default: int | None = None) -> Parameter:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) < 20 and least <= int(value) <= most):
            raise ValueError(f"a whole number from {least} to {most:,}")
        return int(value)

    return Parameter(name, meaning, read, {"type": "integer", "minimum": least, "maximum": most}, default)


def seconds(name: str, meaning: str, most: float, default: float) -> Parameter:
    def read(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if not 0 <= found <= most:
            raise ValueError(f"a number of seconds from 0 to {most:,.0f}")
        return found

    return Parameter(name, meaning, read, {"type": "number", "minimum": 0, "maximum": most}, default)


def duration(name: str, meaning: str, default: str) -> Parameter:
    """A time that is more than none, such as ``30m``; in seconds once it is read."""

    def read(value: str) -> float:
        try:
            found = parse_duration(value)
        except ValueError:
            found = 0.0
        if found == 0:
            raise ValueError("a duration of more than 0, such as 30m, 6h or 7d")
        return found

    return Parameter(name, meaning, read, {"type": "string", "default": default}, parse_duration(default))


def flag(name: str, meaning: str) -> Parameter:
    def read(value: str) -> bool:
        if value not in ("0", "1"):
            raise ValueError("0 or 1")
        return value == "1"

    return Parameter(name, meaning, read, {"type": "integer", "enum": [0, 1]}, False)


def moment(name: str, meaning: str) -> Parameter:
    """Seconds since the epoch, from ISO 8601 with its zone, or from the number itself."""

    def read(value: str) -> float:
        try:
            return parse_moment(float(value) if _NUMBER.fullmatch(value) else value)
        except ValueError:
            raise ValueError("a time with its zone, such as 2026-01-31T09:30:00Z") from None

    return Parameter(name, meaning, read, {"type": "string", "maxLength": _LONGEST})
