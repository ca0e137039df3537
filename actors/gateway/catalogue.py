"""Who handles what: every recipient of a squad and the message types that it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from squad.errors import Problem
from squad.messages import MessageType, did_you_mean

_SHOWN = 60  # characters of a name that somebody sent


class Catalogue:
    """``handled``: for each agent and convoy its types by name. ``broken``: why a recipient's class does not import."""

    def __init__(
        self, handled: Mapping[str, Mapping[str, MessageType]], broken: Mapping[str, str] | None = None
    ) -> None:
        self._handled = handled
        self._broken = broken or {}

    @property
    def recipients(self) -> tuple[str, ...]:
        """Every agent and convoy."""
        return (*self._handled, *self._broken)

    def find(self, recipient: str, type_name: str) -> MessageType | Problem:
        """The type under which ``recipient`` takes ``type_name``, or what is wrong with the two."""
        types = self._handled.get(recipient)
        if types is not None:
            found = types.get(type_name)
            return found if found is not None else self._untaken(recipient, type_name, types)
        if recipient in self._broken:
            return Problem("recipient", f"{recipient!r} cannot take messages: {self._broken[recipient]}")
        known = self.recipients
        hint = did_you_mean(recipient, known) or f"there are: {', '.join(sorted(known)) or 'none'}"
        return Problem("recipient", f"no agent or convoy is called {shown(recipient)}", hint)

    def _untaken(self, recipient: str, type_name: str, types: Mapping[str, MessageType]) -> Problem:
        others = [name for name, handled in self._handled.items() if type_name in handled]
        if others:
            who = " and ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
            verb = "does" if len(others) == 1 else "do"
            return Problem("type", f"{recipient!r} does not handle {type_name!r}", f"{who} {verb}")
        what = f"{recipient!r} handles no type {shown(type_name)}"
        return Problem("type", what, did_you_mean(type_name, types) or f"it handles: {', '.join(sorted(types))}")

    def types(self) -> list[dict[str, Any]]:
        """``{"name", "schema", "handled_by"}`` for each type, by name.

        A name is listed twice when two agents mean different things by it.
        """
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for recipient, types in self._handled.items():
            for name, kind in types.items():
                schema = kind.schema()
                entry = {"name": name, "schema": schema, "handled_by": []}
                found.setdefault((name, json.dumps(schema)), entry)["handled_by"].append(recipient)
        return [found[key] for key in sorted(found)]


def shown(name: str) -> str:
    """A name that somebody sent, quoted, with odd characters escaped, and cut when it is long."""
    return repr(name if len(name) <= _SHOWN else name[: _SHOWN - 3] + "...")
