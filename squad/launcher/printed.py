"""What a squad in the background prints goes to a file, and its agents print there as well: it is kept to a size."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

_EVERY = 30.0  # seconds between two looks


class Printed:
    """``path`` is open for appending in whoever prints. Above ``most`` bytes what it holds is set aside, in place of
    what was set aside before. Call ``attend`` at ``due``."""

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._most = most
        self.due = 0.0  # monotonic

    def attend(self) -> None:
        now = time.monotonic()
        if now < self.due:
            return
        self.due = now + _EVERY
        with contextlib.suppress(OSError):  # a full disk, or somebody removed it
            if self._path.stat().st_size > self._most:
                shutil.copyfile(self._path, self._path.with_name(f"{self._path.name}.1"))
                os.truncate(self._path, 0)
