"""What the launcher is told by signals, while it waits and while it is busy."""

from __future__ import annotations

import os
import signal
from collections import deque
from types import FrameType

from squad.actors.transport.processes import belongs_to_parent

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # these ask for a stop


class Interrupted(BaseException):
    """A stop was asked for during something that it should cut short."""


class Signals:
    """Collects the signals that ask for a stop, and SIGCHLD. ``descriptor`` is readable when there are some.

    SIGINT and SIGHUP stay ignored where they were when the program started (a shell's background job, ``nohup``).
    SIGHUP without a terminal means nothing.
    """

    def __init__(self) -> None:
        self._got: deque[int] = deque()
        self._cut_short = False
        self.descriptor, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        belongs_to_parent(self)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._note)
        for number in (signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, self._note)
        for number in (signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._note)
        if not _in_a_terminal():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)  # they were blocked for us until now

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._got.append(number)
        if self._cut_short and number != signal.SIGCHLD:
            self._cut_short = False
            raise Interrupted

    def take(self) -> list[int]:
        """The signals since the last time, in order."""
        try:
            while os.read(self.descriptor, 4096):
                pass
        except BlockingIOError:
            pass
        taken = []
        while self._got:
            taken.append(self._got.popleft())
        return taken

    def cut_short(self, wanted: bool) -> None:
        """From now on a signal that asks for a stop also raises Interrupted, at once; or not any more.

        Raises Interrupted when such a signal waits to be taken.
        """
        self._cut_short = wanted
        if wanted and any(number != signal.SIGCHLD for number in self._got):
            self._cut_short = False
            raise Interrupted

    def stop_listening(self) -> None:
        """Ignore what asks for a stop from now on: it is under way already."""
        signal.set_wakeup_fd(-1)
        for number in STOP:
            signal.signal(number, signal.SIG_IGN)

    def abandon(self) -> None:
        os.close(self.descriptor)
        os.close(self._writer)


def _in_a_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
