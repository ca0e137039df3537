"""Message types: a named type with declared fields, checked at the edge.

    @message("scan")
    class Scan:
        path: str
        pattern: str = "**/*.py"

makes ``Scan`` a frozen dataclass and declares the type ``scan``. Pydantic checks payloads against it, strictly
(a number is no string) and with every mistake named; a field that was not declared is a mistake.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, TypeVar, dataclass_transform

from squad.errors import Problem, RefusedError

T = TypeVar("T")

TYPE_NAME_FORM = r"[A-Za-z][A-Za-z0-9_.:-]{0,99}"
"""Of the names of message types: a regular expression."""
_TYPE_NAME = re.compile(TYPE_NAME_FORM)

_ATTRIBUTE = "__squad_type__"
_OURS = "squad."  # how the names of built-in types begin


class MessageType:
    """One declared type: its ``name`` and the dataclass ``cls`` that carries its fields."""

    def __init__(self, name: str, cls: type[Any]) -> None:
        self.name = name
        self.cls = cls

    @cached_property
    def _adapter(self) -> Any:
        from squad.plain import checker

        if (plain := checker(self.cls)) is not None:
            return plain
        from pydantic import TypeAdapter

        return TypeAdapter(self.cls)

    def decode(self, payload: str | bytes) -> Any:
        """An instance of ``cls`` from JSON text. Raises RefusedError naming every field that is wrong."""
        try:
            return self._adapter.validate_json(payload)
        except ValueError as error:
            from pydantic import ValidationError

            if not isinstance(error, ValidationError):  # raised by the type's own code
                raise
            raise RefusedError(
                f"the payload does not fit the type {self.name!r}",
                problems=[self._problem(item) for item in error.errors(include_url=False)],
            ) from None

    def _problem(self, item: Any) -> Problem:
        where = ".".join(str(part) for part in item["loc"]) or "payload"
        kind = item["type"]
        if kind == "missing":
            return Problem(where, "is missing")
        if kind in ("unexpected_keyword_argument", "extra_forbidden"):
            near = did_you_mean(str(item["loc"][-1]), self._fields())
            return Problem(where, f"is not a field of {self.name!r}", near)
        if kind == "json_invalid":
            return Problem("payload", f"is not JSON: {item.get('ctx', {}).get('error', item['msg'])}")
        if kind in ("dataclass_type", "dataclass_exact_type", "model_type"):
            return Problem("payload", "must be a JSON object")
        value = json.dumps(item.get("input"), default=str)
        shown = value if len(value) <= 60 else value[:57] + "..."
        message = item["msg"][0].lower() + item["msg"][1:]
        return Problem(where, f"{message}, not {shown}" if message.startswith("input should be") else message)

    def _fields(self) -> list[str]:
        return [field.name for field in dataclasses.fields(self.cls)]

    def encode(self, instance: Any) -> str:
        """JSON text of an instance. Raises RefusedError when a field holds what its declaration does not allow."""
        try:
            text: str = self._adapter.dump_json(instance, warnings=False).decode()
        except Exception as error:  # pydantic raises several kinds, all meaning the same to the sender
            raise RefusedError(f"a {self.name!r} holds what cannot be sent: {error}") from None
        self.decode(text)
        return text

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema (draft 2020-12)."""
        return {**self._adapter.json_schema(), "title": self.name}


@dataclass_transform(frozen_default=True)
def message(name: str) -> Callable[[type[T]], type[T]]:
    """Declare a message type. The class becomes a frozen dataclass; ``name`` is what ``squad send`` is given."""
    if not is_type_name(name):
        raise ValueError(f"{name!r} is no name for a message type: letters, digits and _ . : - only, a letter first")

    def declare(cls: type[T]) -> type[T]:
        if name.startswith(_OURS) and not cls.__module__.startswith(_OURS):
            raise ValueError(f"{name!r} is no name for a message type of yours: those with {_OURS} are built in")
        made = cls if dataclasses.is_dataclass(cls) else _dataclass(cls)
        made.__pydantic_config__ = {"extra": "forbid", "strict": True}  # type: ignore[attr-defined]
        setattr(made, _ATTRIBUTE, MessageType(name, made))
        return made

    return declare


def _dataclass(cls: type[T]) -> type[T]:
    """A frozen one. It gets no docstring of its own making, which would cost more than all the rest."""
    undocumented = cls.__doc__ is None
    if undocumented:
        cls.__doc__ = "a message"
    made = dataclasses.dataclass(frozen=True)(cls)
    if undocumented:
        made.__doc__ = None
    return made


def is_type_name(text: str) -> bool:
    """Whether a message type can have this name."""
    return _TYPE_NAME.fullmatch(text) is not None


def type_of(thing: Any) -> MessageType:
    """The MessageType of a class or an instance. Raises TypeError if it was not declared with ``@message``."""
    cls = thing if isinstance(thing, type) else type(thing)
    found = cls.__dict__.get(_ATTRIBUTE)
    if not isinstance(found, MessageType):
        raise TypeError(f'{cls.__qualname__} is not a message type: declare it with @message("name")')
    return found


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt ``word``, or an empty string: ``did you mean 'scan'?``"""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
