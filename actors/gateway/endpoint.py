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
from squad.errors import UsageError
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
    """The values by name, defaults with them. Raises UsageError for what is not a parameter, and for bad values."""
    known = {parameter.name: parameter for parameter in parameters}
    found = {name: parameter.default for name, parameter in known.items()}
    for name, value in request.query_params.items():
        if name not in known:
            hint = did_you_mean(name, known) or f"there are: {', '.join(known) or 'none'}"
            raise UsageError(f"{shown(name)} is not a parameter of this request", hint=hint)
        try:
            found[name] = known[name].read(value)
        except ValueError as error:
            raise UsageError(f"{name} must be {error}, not {shown(value)}") from None
    return found


def text(name: str, meaning: str) -> Parameter:
    def read(value: str) -> str:
        if not 0 < len(value) <= _LONGEST:
            raise ValueError(f"a text of 1 to {_LONGEST:,} characters")
        return value

    return Parameter(name, meaning, read, {"type": "string", "minLength": 1, "maxLength": _LONGEST})


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
