"""The logs of all processes on standard output, which may be slow or stand still: the launcher never waits for it."""

from __future__ import annotations

import os
import select
import stat
import time
from pathlib import Path

from squad.actors.transport.processes import belongs_to_parent
from squad.logview import Follower, Writer
from squad.terminal import colours

EVERY = 0.2  # seconds between two looks at the logs

_MOST = 256 * 1024  # bytes that may wait for a slow reader; the files keep the rest
_PIECE = 64 * 1024


class Stream:
    """What is logged from now on in ``folder``, on the descriptor ``output``. Call ``tick`` every ``EVERY`` seconds."""

    def __init__(self, folder: Path, output: int = 1) -> None:
        self._follower = Follower(folder)
        self._writer = Writer(colour=colours(output))
        self._output = _without_waiting(output)
        self._own = self._output != output
        self._waiting = b""
        self._broken = False
        if self._own:
            belongs_to_parent(self)

    @property
    def blocked_on(self) -> int | None:
        """The descriptor that must become writable before more can be shown; None when nothing waits."""
        return self._output if self._waiting else None

    def tick(self) -> None:
        """Show what is new, as far as the reader takes it."""
        if not self._broken and len(self._waiting) < _MOST:
            self._waiting += self._writer.text(self._follower.look()).encode(errors="backslashreplace")
        self.push()

    def push(self) -> None:
        """Write what waits, as far as the reader takes it."""
        try:
            while self._waiting:
                self._waiting = self._waiting[os.write(self._output, self._waiting[:_PIECE]) :]
        except BlockingIOError:
            return
        except OSError:  # its reader went away; the squad goes on without one
            self._broken, self._waiting = True, b""

    def finish(self, patience: float) -> None:
        """Show all that is left, within ``patience`` seconds."""
        deadline = time.monotonic() + patience
        if not self._broken:
            self._waiting += self._writer.text(self._follower.rest()).encode(errors="backslashreplace")
        self.push()
        poll = select.poll()
        poll.register(self._output, select.POLLOUT)
        while self._waiting and (left := deadline - time.monotonic()) > 0:
            poll.poll(left * 1000)
            self.push()
        self.abandon()

    def abandon(self) -> None:
        if self._own:
            os.close(self._output)
            self._own = False


def _without_waiting(output: int) -> int:
    """A descriptor of our own for the same terminal or pipe, on which a write does not wait.

    O_NONBLOCK on the one we have would be set for everybody who shares it, the user's shell too. A file needs none.
    """
    mode = os.fstat(output).st_mode
    if not (stat.S_ISFIFO(mode) or os.isatty(output)):
        return output
    try:
        return os.open(f"/proc/self/fd/{output}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:  # a terminal that was given to another user
        return output
