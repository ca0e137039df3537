"""One launcher to a home: the lock file, and what it says of who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

from squad.actors.transport.processes import belongs_to_parent
from squad.errors import AlreadyRunningError, HomeError
from squad.home import Home

FILE = "launcher.lock"

_PATIENCE = 0.5  # seconds: commands that look whether the lock is held take it for a moment
_POLL = 0.01  # seconds; flock has no time limit of its own


class LauncherLock:
    """The held lock of a home. The kernel lets go of it when the launcher ends; forked children do not keep it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        belongs_to_parent(self)

    def share(self) -> int:
        """Its descriptor, which a program that is executed next inherits."""
        os.set_inheritable(self._descriptor, True)
        return self._descriptor

    def write(self, content: dict[str, Any]) -> None:
        """Say who holds it, for ``read``."""
        data = json.dumps(content).encode() + b"\n"
        # Blanks first, so that a reader in between finds nothing rather than half of each.
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def abandon(self) -> None:
        """Close this process's copy; whoever shares the lock still holds it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def acquire(home: Path) -> LauncherLock:
    """Lock ``home``. Raises AlreadyRunningError, which names the squad that runs there, and HomeError."""
    path = home / FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HomeError(f"{path} cannot be opened: {error.strerror}", hint=f"ls -l {path}") from None
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise _already_running(home) from None
            time.sleep(_POLL)
        else:
            os.ftruncate(descriptor, 0)
            return LauncherLock(descriptor)


def inherited(descriptor: int) -> LauncherLock:
    """The lock that the program before this one shared."""
    os.set_inheritable(descriptor, False)
    return LauncherLock(descriptor)


def read(home: Path) -> dict[str, Any]:
    """What the holder of the lock wrote; empty when nobody did or it cannot be read."""
    try:
        content = json.loads((home / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _already_running(home: Path) -> AlreadyRunningError:
    holder = Home(home).launcher()
    if holder is None or holder.pid is None:
        return AlreadyRunningError(f"a squad is just being started or stopped in {home}", hint="squad status")
    config = f"configuration {holder.config}, " if holder.config else ""
    return AlreadyRunningError(
        f"a squad already runs in {home}: {holder.name} (process {holder.pid}, {config}since {holder.started_at})",
        hint="squad stop ends it; squad start --home DIR starts another beside it",
    )
