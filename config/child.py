"""Running code that is not ours where it can do no harm: in a forked child, with a time limit.

The child has no terminal, no input and none of the parent's files; what it prints is kept, not shown. It reports by
JSON lines over a pipe, which say what it came to even if it then hangs or dies. Its whole process group is killed when
it has said all, when its time is over, and when the parent is interrupted. A process which leaves that group and is not
waited for outlives it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from squad.durations import format_duration
from squad.errors import StartError

Say = Callable[[Any], None]

_OUTPUT = 2000  # bytes of what was printed last that are kept
_MOST_SAID = 64_000_000  # bytes of reports; a child that says more has run wild
_END = b'"end"\n'
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """``said``: what it reported, in order. ``fate``: how it ended if not by finishing its work, as the end of a
    sentence; empty when all is well. ``output``: the last that it printed."""

    said: tuple[Any, ...]
    fate: str
    output: str


def run(work: Callable[[Say], None], seconds: float) -> Ended:
    """Run ``work(say)`` in a child for up to ``seconds``. For the main thread. Raises StartError without a child."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()  # else the child would print the rest once more
    said_read, said_write = os.pipe()
    printed_read, printed_write = os.pipe()
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        for descriptor in (said_read, said_write, printed_read, printed_write):
            os.close(descriptor)
        raise StartError(
            f"no process could be started: {error.strerror}", hint="is the machine out of memory?"
        ) from None
    if pid == 0:
        _child(work, said_write, printed_write, parent)
    os.close(said_write)
    os.close(printed_write)
    try:
        return _watch(pid, said_read, printed_read, seconds)
    finally:
        _kill(pid)
        os.close(said_read)
        os.close(printed_read)


# -- the child's side


def _child(work: Callable[[Say], None], said_write: int, printed_write: int, parent: int) -> NoReturn:
    status = 70
    try:
        said = _detach(said_write, printed_write, parent)

        def say(value: Any) -> None:
            _write(said, json.dumps(value).encode() + b"\n")

        work(say)
        sys.stdout.flush()
        _write(said, _END)
        status = 0
    except BaseException:  # nothing may run on into the parent's code, of which this is a copy
        traceback.print_exc()
    finally:
        os._exit(status)


def _detach(said_write: int, printed_write: int, parent: int) -> int:
    """Cut the ties to the parent; the descriptor on which to report."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(70)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    gc.freeze()  # objects of the parent must not close descriptors whose numbers are used anew here
    said = fcntl.fcntl(said_write, fcntl.F_DUPFD_CLOEXEC, 3)
    printed = fcntl.fcntl(printed_write, fcntl.F_DUPFD_CLOEXEC, 3)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)
    for inherited in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if inherited > 2 and inherited != said:  # locks and sockets of the parent among them
            with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
                os.close(inherited)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the rest of this process
    sys.stdout = open(1, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    return said


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


# -- the parent's side


def _watch(pid: int, said_read: int, printed_read: int, seconds: float) -> Ended:
    deadline = time.monotonic() + seconds
    received = {said_read: bytearray(), printed_read: bytearray()}
    said, printed = received[said_read], received[printed_read]
    is_open = {said_read, printed_read}
    fate: str | None = None
    while fate is None:
        left = deadline - time.monotonic()
        gone = _how_it_ended(pid)
        for descriptor in _readable(is_open, 0 if gone else max(0, min(0.05, left))):
            data = os.read(descriptor, 65536)
            received[descriptor] += data
            if not data:
                is_open.discard(descriptor)
        del printed[:-_OUTPUT]
        if said.endswith(_END):
            fate = ""
        elif len(said) > _MOST_SAID:
            fate = "reported without end"
        elif gone and not _readable(is_open, 0):
            fate = gone
        elif left <= 0:
            fate = f"was still running after {format_duration(round(seconds, 1))}"
    return Ended(_parsed(said), fate, printed.decode(errors="replace").strip())


def _readable(descriptors: set[int], seconds: float) -> list[int]:
    poller = select.poll()  # select() itself knows no descriptor above 1023
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poller.poll(int(seconds * 1000))]


def _how_it_ended(pid: int) -> str:
    """Empty while it runs. It is not reaped yet, so that its process group keeps its number."""
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # someone in this process reaps every child
        return "ended"
    if found is None:
        return ""
    if found.si_code == os.CLD_EXITED:
        return f"ended the process with status {found.si_status}"
    return f"was ended by signal {found.si_status} ({signal.strsignal(found.si_status)})"


def _parsed(said: bytearray) -> tuple[Any, ...]:
    """All complete lines that are JSON. Whatever else is there was not written by ``say``."""
    values = []
    for line in bytes(said.removesuffix(_END)).split(b"\n")[:-1]:
        with contextlib.suppress(ValueError):
            values.append(json.loads(line))
    return tuple(values)


def _kill(pid: int) -> None:
    for end in (os.killpg, os.kill):  # it may not have come to make its group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
