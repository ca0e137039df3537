"""How a whole tree of processes ends, and how one knows that it has."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable

import psutil

from squad.actors.transport.processes import belongs_to_parent


class Lifeline:
    """A pipe that is at its end when every process is gone that was forked while ``handed_down``, or by one that was.

    Such a process has the writing end and never uses it; the kernel closes it when the process is gone, for whatever
    reason. Processes that only ``exec`` do not have it.
    """

    def __init__(self, start: Callable[[], None]) -> None:
        """Call ``start``, which forks the first of them."""
        self._reader, writer = os.pipe2(os.O_CLOEXEC)
        belongs_to_parent(self)
        try:
            start()
        finally:
            os.close(writer)

    def fileno(self) -> int:
        """Readable once they are all gone."""
        return self._reader

    def abandon(self) -> None:
        self.close()

    def close(self) -> None:
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1


def end_tree(root: int | None, lifeline: Lifeline, timeout: float) -> bool:
    """Kill the process ``root`` and all below it; True once all of them are gone, False if not within ``timeout``.

    A stopped process is killed as well. Whatever is started meanwhile dies with its parent; so does, without being
    told, everything below a ``root`` that is dead already: None.
    """
    deadline = time.monotonic() + timeout
    doomed = _handles(root) if root is not None else []
    try:
        for handle in doomed:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        left = {*doomed, lifeline.fileno()}
        poll = select.poll()
        for descriptor in left:
            poll.register(descriptor, select.POLLIN)
        while left and (patience := deadline - time.monotonic()) > 0:
            for descriptor, _events in poll.poll(patience * 1000):
                poll.unregister(descriptor)
                left.discard(descriptor)
        for handle in doomed:  # those that are this process's children, by birth or as orphans, are to be collected
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG)
        return not left
    finally:
        for handle in doomed:
            os.close(handle)


def _handles(root: int) -> list[int]:
    """Descriptors of the process ``root`` and of all below it. Unlike pids they never mean another process."""
    try:
        top = psutil.Process(root)
        processes = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    handles = []
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(process.pid)
            if process.is_running():  # or the pid was another's by the time it was opened
                handles.append(handle)
            else:
                os.close(handle)
    return handles
