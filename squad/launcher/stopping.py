"""``squad stop``: telling the launcher, waiting for its end, and cleaning up after one that was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from squad.durations import format_duration
from squad.errors import AlreadyRunningError, NotRunningError, StartError, WaitTimeoutError
from squad.home import Home
from squad.home import Launcher as Holder
from squad.launcher import account, lock, remains
from squad.launcher.account import Unfinished

FORCED_WITHIN = 10.0  # seconds; after that the launcher itself is killed

_MARGIN = 10.0  # seconds which a stop may take beyond the time that the configuration gives to handlers
_DEFAULT_GRACE = 30.0  # seconds, where the launcher has not said what its configuration gives
_STARTING = 5.0  # seconds for a launcher that has just taken the lock to say who it is
_HEARING = 5.0  # seconds for a launcher that is asked to stop to say that it has heard
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a stop went. ``leftovers``: processes that were there although their launcher was not, and are ended now."""

    unfinished: tuple[Unfinished, ...] = ()
    forced: bool = False
    leftovers: int = 0


def stop(home: Path, *, force: bool = False, timeout: float | None = None) -> Stopped:
    """Stop the squad in ``home`` and wait, for ``timeout`` seconds, until nothing of it is left.

    ``force`` does not wait for handlers; a launcher that does not even answer that is killed with all it has started.
    Where the launcher is gone and processes are left, they are ended. Raises NotRunningError when there was nothing to
    stop, and WaitTimeoutError; then it goes on stopping.
    """
    home = home.resolve()
    place = Home(home)
    holder = _holder(place)
    if holder is None:
        return _clear(place)
    if holder.pid is None:
        raise StartError(f"the launcher in {home} holds its lock and does not say who it is", hint="squad status")
    content = lock.read(home)
    if timeout is None:
        timeout = FORCED_WITHIN if force else float(content.get("shutdown", _DEFAULT_GRACE)) + _MARGIN
    try:
        handle = os.pidfd_open(holder.pid)
    except ProcessLookupError:
        return _clear(place)
    try:
        if _holder(place) != holder:  # it ended before we had it by the handle, which may be another process's
            return stop(home, force=force, timeout=timeout)
        if force:
            _tell(handle, signal.SIGQUIT)
        else:
            _ask(home, handle, min(timeout, _HEARING))
        if not _ended(handle, timeout):
            if not force:
                raise WaitTimeoutError(
                    f"the squad in {home} has not stopped within {format_duration(timeout)}; it goes on stopping",
                    hint="squad stop --force does not wait",
                )
            _tell(handle, signal.SIGKILL)
            _ended(handle, FORCED_WITHIN)
    finally:
        os.close(handle)
    left = 0
    with contextlib.suppress(NotRunningError, AlreadyRunningError):  # nothing is left; it was started again already
        left = _clear(place).leftovers
    told = account.read(home)
    if told is None:  # it was killed before it could say
        return Stopped(forced=True, leftovers=left)
    return Stopped(told.unfinished, told.forced, left)


def _holder(place: Home) -> Holder | None:
    """Who holds the home; one that is just starting is given a moment to say so."""
    deadline = time.monotonic() + _STARTING
    while True:
        holder = place.launcher()
        if holder is None or holder.pid is not None or time.monotonic() > deadline:
            return holder
        time.sleep(_POLL)


def _ask(home: Path, handle: int, limit: float) -> None:
    """Ask for a stop in good order, unless somebody has: a second signal would force it.

    Who asks waits until the launcher says that it has heard, ``limit`` seconds at most, and keeps others who ask in the
    same moment waiting until then.
    """
    until = time.monotonic() + limit
    folder = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while not _taken(folder) and time.monotonic() < until and not _ended(handle, _POLL):
            pass
        asked = False
        while not (said := lock.read(home)).get("stopping") and not _ended(handle, 0):
            late = time.monotonic() >= until
            if not asked and (said or late):  # it says nothing for the moment in which it writes
                _tell(handle, signal.SIGTERM)
                asked = True
            if late or _ended(handle, _POLL):
                return
    finally:
        os.close(folder)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tell(handle: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return  # it has ended, which is what we want


def _ended(handle: int, timeout: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def _clear(place: Home) -> Stopped:
    """End what a launcher left that was killed. Raises NotRunningError when it left nothing."""
    if not (place.path / lock.FILE).exists():
        raise _not_running(place)
    held = lock.acquire(place.path)
    try:
        ended = remains.clear(place.path)
    finally:
        held.release()
    if not ended:
        raise _not_running(place)
    return Stopped(forced=True, leftovers=ended)


def _not_running(place: Home) -> NotRunningError:
    return NotRunningError(f"no squad is running in {place.path}", hint="squad start")
