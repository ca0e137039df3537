"""The arguments of a command, in which ``{payload[path]}`` and a few others stand for parts of the message.

No shell ever sees them: what a placeholder stands for is (a part of) one argument, whatever is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from squad.messages import did_you_mean

NAMES = ("payload", "message_id", "type", "attempt", "home", "python")
"""``home`` is the squad's home directory, ``python`` the interpreter that Squad runs on."""

FIXED = ("home", "python")
"""Those that do not depend on the message, so that they may stand in the program's own name."""

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_FORM = re.compile(r"([a-z_]+)((?:\[[^\[\]]+\])*)")
_BRACES = "for a brace itself write {{ or }}"


class Placeholder(NamedTuple):
    text: str  # as it is written: "{payload[a][b]}"
    name: str  # one of NAMES
    path: tuple[str, ...]  # ("a", "b"), for the payload only


Argument = tuple[str | Placeholder, ...]


class PlaceholderError(ValueError):
    """A sentence about what is wrong; ``hint`` is what to do about it."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def parse(text: str) -> Argument:
    """An argument in pieces. Raises PlaceholderError."""
    if "\0" in text:
        raise PlaceholderError("there is a NUL character, which no argument can hold")
    pieces: list[str | Placeholder] = []
    end = 0
    for match in _PIECE.finditer(text):
        pieces.append(text[end : match.start()])
        end = match.end()
        if match[0] in ("{{", "}}"):
            pieces.append(match[0][0])
        elif match[1] is None:
            raise PlaceholderError(f"there is a single {match[0]} in {text!r}", _BRACES)
        else:
            pieces.append(_placeholder(match[0]))
    pieces.append(text[end:])
    return tuple(piece for piece in pieces if piece)


def _placeholder(text: str) -> Placeholder:
    form = _FORM.fullmatch(text[1:-1])
    if form is None or form[1] not in NAMES:
        near = did_you_mean(text[1:-1].partition("[")[0], NAMES)
        known = "there are {payload[FIELD]}, " + ", ".join(f"{{{name}}}" for name in NAMES[1:])
        raise PlaceholderError(f"there is no placeholder {text}", f"{near or known}; {_BRACES}")
    path = tuple(re.findall(r"\[([^\[\]]+)\]", form[2]))
    if path and form[1] != "payload":
        raise PlaceholderError(f"{text} has no parts", f"write {{{form[1]}}}")
    if not path and form[1] == "payload":
        raise PlaceholderError("{payload} does not say which field", "write {payload[FIELD]}")
    return Placeholder(text, form[1], path)


def fill(argument: Argument, values: Mapping[str, Any]) -> str:
    """The argument with its ``values``, by the names of placeholders. Text stands as it is, anything else as JSON.

    Raises PlaceholderError for a field that is not there, and for what no argument can hold.
    """
    return "".join(piece if isinstance(piece, str) else _value(piece, values) for piece in argument)


def _value(placeholder: Placeholder, values: Mapping[str, Any]) -> str:
    found = values[placeholder.name]
    for part in placeholder.path:
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (LookupError, TypeError, ValueError):
            raise PlaceholderError(f"the payload has nothing for {placeholder.text}") from None
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    if "\0" in text:
        raise PlaceholderError(f"{placeholder.text} holds a NUL character, which no argument can")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PlaceholderError(f"{placeholder.text} holds half a character") from None
    return text
