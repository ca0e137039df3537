"""The kinds of value that a configuration holds: durations, sizes, names and references to classes.

Each is checked where it is read, and refused in words that ``squad.config.mistakes`` turns into a sentence.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from squad.config.readable import readable_duration, readable_size
from squad.durations import parse_duration, parse_size

RESERVED = ("supervisor", "storage", "monitor", "gateway", "scheduler", "exporter", "launcher", "clients")
"""Names that no agent or convoy can have: Squad's own processes, and the sender of what comes from outside."""

NAME_FORM = r"[a-z][a-z0-9_-]{0,39}"
"""Of the names of agents, convoys and schedules: a regular expression."""


def refuse(expected: str, hint: str = "") -> NoReturn:
    """Refuse a value; whoever reports it says where it is and what it was: ``X must be EXPECTED, not Y``."""
    raise PydanticCustomError("refused", "must be {expected}", {"expected": expected, "hint": hint})


def complain(text: str, hint: str = "", instead: str = "") -> NoReturn:
    """Refuse in other words: ``X TEXT``. ``instead`` is the sibling key to point at when this one was not written."""
    raise PydanticCustomError("complaint", "{text}", {"text": text, "hint": hint, "instead": instead})


def written(default: str) -> Any:
    """A default as people write it; like any other value it is read by the field's own type."""
    return default


def blank_mapping(value: Any) -> Any:
    """A key with nothing under it (all of it commented out, perhaps) says as much as an empty mapping."""
    return {} if value is None else value


def _duration(value: Any) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return parse_duration(value)
        except (ValueError, OverflowError):
            pass
    refuse("a duration", "write for example 30s, 5m or 1h30m")


def _size(value: Any) -> int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return parse_size(value)
        except (ValueError, OverflowError):
            pass
    refuse("a size", "write for example 500MB or 1MiB")


def named(value: str, kind: str) -> str:
    """The name of such a kind of thing, if it can be one."""
    if not re.fullmatch(NAME_FORM, value):
        hint = "a small letter first, then small letters, digits, - and _, at most 40 characters"
        complain(f"{value!r} cannot be the name of {kind}", hint)
    return value


def _name(value: str) -> str:
    if named(value, "an agent or a convoy") in RESERVED:
        complain(f"the name {value!r} belongs to Squad itself", "choose another name")
    return value


def _reference(value: str) -> str:
    expected = "a file or a module, a colon and a class"
    target, colon, cls = value.rpartition(":")
    if not colon:
        example = f"{value}:Scanner" if value.endswith(".py") else "./agents.py:Scanner or package.module:Scanner"
        refuse(expected, f"write for example {example}")
    if not cls.isidentifier():
        refuse(expected, f"{cls!r} cannot be the name of a class")
    if not target.endswith(".py") and not all(part.isidentifier() for part in target.split(".")):
        refuse(expected, f"{target!r} is neither a .py file nor the name of a module")
    return value


def sized(least: str, most: str) -> AfterValidator:
    """Bounds of a Size, both allowed."""

    def check(value: int) -> int:
        if not parse_size(least) <= value <= parse_size(most):
            refuse(f"a size between {least} and {most}")
        return value

    return AfterValidator(check)


def at_least(least: str) -> AfterValidator:
    """Bound of a Duration, allowed itself."""

    def check(value: float) -> float:
        if value < parse_duration(least):
            refuse(f"{least} or more")
        return value

    return AfterValidator(check)


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(readable_duration, when_used="json"),
    WithJsonSchema({"type": ["string", "number"], "title": "Duration", "examples": ["250ms", "30s", "1h30m"]}),
]
"""Seconds; written as text with units or as a number of seconds."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    PlainSerializer(readable_size, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "title": "Size", "examples": ["500MB", "1MiB"]}),
]
"""Bytes; written as text with units or as a number of bytes."""

Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME_FORM}$"})]
ClassReference = Annotated[str, AfterValidator(_reference)]
