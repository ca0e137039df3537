"""The logs of all processes on standard output, which may be slow or stand still: the launcher never waits for it.

The kernel tells when a log is written; while nobody writes, nobody looks.
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from squad.actors.transport.processes import belongs_to_parent
from squad.launcher.changes import Changes
from squad.logview import Follower, Writer
from squad.terminal import colours

_EVERY = 0.2  # seconds between two looks at the logs while they are written
_SOON = 0.02  # seconds from the first news to the look: the youngest lines would be held back

_MOST = 256 * 1024  # bytes that may wait for a slow reader; the files keep the rest
_PIECE = 64 * 1024


class Stream:
    """What is logged from now on in ``folder``, on the descriptor ``output``.

    Its owner polls for what ``awaits`` says, no longer than until ``due``, and calls ``attend``.
    """

    def __init__(self, folder: Path, output: int = 1) -> None:
        try:
            self._changes: Changes | None = Changes(folder)
        except OSError:  # too many watches for this user: then it looks a few times a second
            self._changes = None
        self._looked = 0.0  # monotonic
        self.due: float | None = 0.0  # monotonic: of the next look; None: with the next news
        self._follower = Follower(folder)
        self._writer = Writer(colour=colours(output))
        self._output = _without_waiting(output)
        self._own = self._output != output
        self._waiting = b""
        self._broken = False
        if self._own:
            belongs_to_parent(self)

    def awaits(self) -> Iterator[tuple[int, int]]:
        """(descriptor, events of poll) at which ``attend`` has something to do."""
        if self.due is None and self._changes is not None:
            yield self._changes.descriptor, select.POLLIN
        if self.blocked_on is not None:
            yield self.blocked_on, select.POLLOUT

    def attend(self) -> None:
        """Do what is due: look at the logs, or only write what waits."""
        now = time.monotonic()
        if self.due is None and self._changes is not None and self._changes.take():
            self.due = max(now + _SOON, self._looked + _EVERY)
        if self.due is not None and now >= self.due:
            self._looked = now
            if self._changes is not None:
                self._changes.take()
            more = self.tick()
            self.due = now + _EVERY if more or self._changes is None else None
        else:
            self.push()

    @property
    def blocked_on(self) -> int | None:
        """The descriptor that must become writable before more can be shown; None when nothing waits."""
        return self._output if self._waiting else None

    def tick(self) -> bool:
        """Show what is new, as far as the reader takes it. Whether there may be more."""
        if self._broken:
            return False
        full = len(self._waiting) >= _MOST
        lines = [] if full else self._follower.look()
        self._waiting += self._writer.text(lines).encode(errors="backslashreplace")
        self.push()
        return full or bool(lines) or self._follower.holds

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
        if self._changes is not None:
            self._changes.abandon()
            self._changes = None


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
