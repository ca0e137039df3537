"""News from the kernel that something in a folder was written, made or renamed, by inotify(7)."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

from squad.actors.transport.processes import belongs_to_parent

_MODIFY, _MOVED_TO, _CREATE = 0x2, 0x80, 0x100  # IN_…
_libc = ctypes.CDLL(None, use_errno=True)


class Changes:
    """``descriptor`` is readable when there is news. Raises OSError where the kernel gives none (any more)."""

    def __init__(self, folder: Path) -> None:
        self.descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if _libc.inotify_add_watch(self.descriptor, os.fsencode(folder), _MODIFY | _MOVED_TO | _CREATE) < 0:
            number = ctypes.get_errno()
            os.close(self.descriptor)
            raise OSError(number, "inotify_add_watch")
        belongs_to_parent(self)

    def take(self) -> bool:
        """Whether there was news since the last time."""
        news = False
        with contextlib.suppress(BlockingIOError):
            while os.read(self.descriptor, 1 << 16):
                news = True
        return news

    def abandon(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
