"""The ports on which doors listened, remembered in the home, so that a browser's open pages find the next gateway.

``NAME.port`` beside the control socket, a JSON document. It is no loss when it cannot be read or written: a door is
then opened on another port.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import NamedTuple

_MARK = "SQUAD_MARK"  # in the environment of all processes of one life of the squad, and of no other
_FIRST, _LAST = 1024, 65535  # no port of the system's own


class Port(NamedTuple):
    """``wished``: it was opened by hand in this life of the squad, so the next gateway opens it by itself."""

    number: int
    wished: bool


class Ports:
    def __init__(self, home: Path) -> None:
        self._home = home
        self._life = os.environ.get(_MARK, "").rpartition(":")[2]

    def last(self, name: str) -> Port | None:
        """Where this door was last."""
        try:
            content = json.loads(self._file(name).read_text(encoding="utf-8"))
            number, life = int(content["port"]), content["life"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Port(number, bool(life) and life == self._life) if _FIRST <= number <= _LAST else None

    def keep(self, name: str, port: Port) -> None:
        new = self._home / f"{name}.port.new"
        with contextlib.suppress(OSError):
            new.write_text(json.dumps({"port": port.number, "life": self._life if port.wished else ""}), "utf-8")
            new.chmod(0o600)
            new.replace(self._file(name))

    def _file(self, name: str) -> Path:
        return self._home / f"{name}.port"
