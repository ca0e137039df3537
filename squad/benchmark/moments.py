"""When handlers began: pairs of doubles that each agent appends to a file of its own.

Both are of the monotonic clock, which is the same in all processes of a machine: when the message was sent, and when
its handler began.
"""

from __future__ import annotations

import struct
from pathlib import Path

RECORD = struct.Struct("<dd")


class Moments:
    """Reads what the agents of one squad append to the files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, int] = {}

    def new(self) -> list[float]:
        """Milliseconds from send to handler start, of every message recorded since the last call; in no order."""
        found: list[float] = []
        for path in self.folder.iterdir():
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                content = file.read()
            whole = len(content) - len(content) % RECORD.size
            self._read[path] = self._read.get(path, 0) + whole
            found += [(began - sent) * 1000 for sent, began in RECORD.iter_unpack(content[:whole])]
        return found
