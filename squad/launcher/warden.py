"""A small process that outlives a killed launcher for a moment, to end what no death signal reaches.

The actors die with the launcher, each by its parent's death. Programs that agents started do not: they may have
daemonised, or be grandchildren. The warden waits for the launcher's end and then kills whatever bears its mark. A
launcher that ends in order ends the warden with everything else. It posts a new one with each tree that it starts, and
in the place of one that was killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path
from typing import NoReturn

from setproctitle import setproctitle

from squad.launcher import processes
from squad.launcher.lock import LauncherLock

_PATIENCE = 5.0  # seconds for killed processes to be gone


class Warden:
    """Making one forks it; the launcher must have one thread."""

    def __init__(self, home: Path, held: LauncherLock) -> None:
        launcher = os.pidfd_open(os.getpid())
        pid = os.fork()
        if pid == 0:
            _watch(launcher, home, held)
        os.close(launcher)
        self._handle = os.pidfd_open(pid)

    def ended(self) -> bool:
        """Whether somebody has ended it."""
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(0))

    def dismiss(self) -> None:
        """The launcher ends what there is to end by itself."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        poll.poll(_PATIENCE * 1000)
        os.close(self._handle)
        processes.collect()


def _watch(launcher: int, home: Path, held: LauncherLock) -> NoReturn:
    try:
        held.abandon()  # the lock must end with the launcher
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)  # they reach every process of a terminal, and are for the launcher
        signal.set_wakeup_fd(-1)
        _let_go_of_the_terminal()
        setproctitle("squad: warden")
        poll = select.poll()
        poll.register(launcher, select.POLLIN)
        poll.poll()
        processes.end_marked(home, _PATIENCE, only_own=True)
    finally:
        os._exit(0)


def _let_go_of_the_terminal() -> None:
    """Nobody who reads the launcher's output until its end should wait for the warden."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
