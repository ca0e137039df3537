"""How a whole tree of processes ends, and how one knows that it has."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil

from squad.actors.transport.processes import belongs_to_parent

_LOOK = 0.05  # seconds between looks for processes that were forked while others were killed


class Lifeline:
    """A pipe that is at its end when every process is gone that was forked by ``start``, or by one that was.

    Such a process has the writing end and never uses it; the kernel closes it when the process is gone, for whatever
    reason. So it is known even when the process that knew them is dead. Programs that they ``exec`` do not have it.
    """

    def __init__(self, start: Callable[[], None]) -> None:
        """Call ``start``, which forks the first of them."""
        self._reader, writer = os.pipe2(os.O_CLOEXEC)
        belongs_to_parent(self)
        try:
            start()
        finally:
            os.close(writer)

    def ended(self, patience: float = 0.0) -> bool:
        """Whether they are all gone, or will be within ``patience`` seconds."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        return bool(poll.poll(patience * 1000))

    def holders(self) -> Iterator[int]:
        """The pids of those that are not."""
        pipe = Path(f"/proc/self/fd/{self._reader}").readlink()
        for pid in psutil.pids():
            if pid != os.getpid() and _holds(pid, pipe):
                yield pid

    def abandon(self) -> None:
        self.close()

    def close(self) -> None:
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1


def _holds(pid: int, pipe: Path) -> bool:
    with contextlib.suppress(OSError):  # it is another user's, or gone
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed while we looked
                if descriptor.readlink() == pipe:
                    return True
    return False


def end_tree(root: int | None, lifeline: Lifeline, timeout: float) -> bool:
    """Kill all that hold the lifeline, and all below the process ``root`` (None: it is dead), stopped or not.

    True once all of them are gone, False if not within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    gone = True
    while gone:
        # Parents first: they shall not see their children die, and do something about it.
        gone = _kill(dict.fromkeys([*_descendants(root), *lifeline.holders()]), deadline)
        left = max(0.0, deadline - time.monotonic())
        if lifeline.ended(min(_LOOK, left)):
            return gone
        gone = gone and left > 0
    return False


def _descendants(root: int | None) -> list[int]:
    if root is None:
        return []
    try:
        return [root, *(child.pid for child in psutil.Process(root).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def _kill(pids: Iterable[int], deadline: float) -> bool:
    """Kill these processes, wait until they are gone, and collect those that are this one's children. False: too late.

    Descriptors of processes, unlike pids, never come to mean another process.
    """
    handles = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    try:
        poll = select.poll()
        for handle in handles:
            poll.register(handle, select.POLLIN)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        left = len(handles)
        while left and (patience := deadline - time.monotonic()) > 0:
            for handle, _events in poll.poll(patience * 1000):
                poll.unregister(handle)
                left -= 1
        for handle in handles:
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG)
        return not left
    finally:
        for handle in handles:
            os.close(handle)
