"""A squad's processes: the mark in their environment, finding them by it, ending them and collecting them.

The mark is in the environment with which the launcher's program was executed. That is what ``/proc/PID/environ`` shows,
of forked children as well, and what every program inherits that an agent runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "SQUAD_MARK"

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def environment(home: Path) -> dict[str, str]:
    """The environment for a launcher of ``home``: this process's own and a new mark.

    ``SPT_NOENV`` keeps setproctitle from writing titles over the environment that ``/proc`` shows.
    """
    return {**os.environ, MARK: f"{home}:{secrets.token_hex(16)}", "SPT_NOENV": "1"}


def end_marked(home: Path, timeout: float, *, only_own: bool = False) -> tuple[int, int]:
    """Kill every process but this one that bears a mark of ``home``: (how many were there, how many are left).

    With ``only_own``, those whose mark is this process's own: not those of another launcher of the same home. They
    have ``timeout`` seconds to be gone. Never a stranger: a process is held by a descriptor, and only then looked at
    and killed, so that its pid cannot become another's in between.
    """
    deadline = time.monotonic() + timeout
    ended: set[int] = set()
    while True:
        handles = dict(_marked(home, os.environ[MARK] if only_own else None))
        try:
            ended |= handles.keys()
            for handle in handles.values():
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            left = _wait(set(handles.values()), deadline)
        finally:
            for handle in handles.values():
                os.close(handle)
        collect()
        if not handles or left:  # those that they forked while they were killed are found in the next round
            return len(ended), left


def _marked(home: Path, mark: str | None) -> Iterator[tuple[int, int]]:
    """(pid, descriptor) of the processes with a mark of ``home`` (this ``mark``, if given), without this one."""

    def bears_it(pid: int) -> bool:
        marks = _marks(pid)
        return mark in marks if mark is not None else home in map(_home_in, marks)

    for pid in _others():
        if not bears_it(pid):
            continue
        try:
            handle = os.pidfd_open(pid)
        except OSError:  # it ended
            continue
        if bears_it(pid):  # still: so the descriptor is of the process that we looked at
            yield pid, handle
        else:
            os.close(handle)


def _others() -> Iterator[int]:
    """The pids of all processes but this one."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            yield int(entry.name)


def _marks(pid: int) -> set[str]:
    """The marks that a process bears: one, or none."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or it is another user's
        return set()
    start = os.fsencode(f"{MARK}=")
    return {os.fsdecode(variable.removeprefix(start)) for variable in variables if variable.startswith(start)}


def _home_in(mark: str) -> Path | None:
    """The home in a mark, which may itself contain a colon: what follows the last one is the hexadecimal part."""
    home = mark.rpartition(":")[0]
    return Path(home) if home else None


def marked() -> dict[Path, list[int]]:
    """The pids of all processes but this one that bear a mark and that this user may look into, by their home."""
    found: dict[Path, list[int]] = {}
    for pid in _others():
        for home in filter(None, map(_home_in, _marks(pid))):
            found.setdefault(home, []).append(pid)
    return found


def _wait(handles: set[int], deadline: float) -> int:
    """Until all have ended, or the deadline: how many have not."""
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    while handles and (patience := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(patience * 1000):
            poll.unregister(handle)
            handles.discard(handle)
    return len(handles)


def collect() -> None:
    """Collect every child that has ended, orphans that came to us too."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def adopt_orphans() -> None:
    """Become the parent of whatever below this process loses its own."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
