"""The lock that makes the writer the only one: held for life on a file beside the database."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from squad.errors import StoreError

_POLL = 0.02  # seconds; flock has no time limit of its own


class Lock:
    """A held lock. The kernel lets go of it when the process ends, however that happens."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def acquire(path: Path, wait_seconds: float) -> Lock:
    """Lock the file at ``path`` (made when missing, 0600), waiting up to ``wait_seconds`` for whoever holds it.

    Raises StoreError naming the holder's pid when it is still held then, and when the file cannot be opened.
    A process which stopped (SIGSTOP) still holds its lock. Do not fork while holding it: the child would share it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}", hint=f"look at `ls -ld {path.parent}`") from None
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                pid = _holder(descriptor)
                os.close(descriptor)
                raise StoreError(
                    f"the store is in use: process {pid} holds {path}",
                    hint=f"`squad stop` ends the squad that runs there; `ps -p {pid}` shows what it is",
                ) from None
            time.sleep(min(_POLL, left))
    with contextlib.suppress(OSError):  # on a full disk the holder is not named
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return Lock(descriptor)


def _holder(descriptor: int) -> str:
    with contextlib.suppress(ValueError):
        return str(int(os.pread(descriptor, 32, 0)))
    return "unknown"
