"""One command, from its start to the end of everything it started. Runs in the process that ``nursery`` forks.

A command has a session and a process group of its own. Its pipes are never waited for: input is written as it takes it,
output is read as it comes, and only the end of what it says is kept. When its own process has ended, what it left
running has a moment to end as well; then it is ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, NamedTuple

import psutil
from setproctitle import setproctitle

TITLE = ": commands"  # the end of the process's name in ps

_CHUNK = 65_536
_ERRORS_KEPT = 7_000  # bytes of standard error kept for the message's error
_LONGEST_LINE = 4_000  # bytes of standard error that make one line of the log
_LINGER = 0.5  # seconds for what a command left running to end by itself
_GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_GIVE_UP = 5.0  # seconds for killed processes to be gone; only the kernel can hold one longer
_LOOK = 0.02  # seconds between looks at processes that are expected to end
_IDLE_LOOK = 1.0  # likewise while the command itself runs

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class Job(NamedTuple):
    """One run of a command."""

    label: str  # what TASK says
    program: str  # the file to execute
    arguments: tuple[str, ...]  # with the program's name as the first
    directory: str
    environment: dict[str, str]
    input: bytes
    timeout: float  # seconds
    output_limit: int  # bytes


class Ended(NamedTuple):
    """How a run ended. ``output`` and ``errors`` are the ends of standard output and standard error."""

    status: int = 0  # exit status; the negative number of the signal that ended it
    why: str = ""  # what we ended it for: "timeout", or what ``Nursery.end`` was given
    output: bytes = b""
    output_cut: int = 0  # bytes of it that were not kept
    errors: bytes = b""
    left: int = 0  # processes that it left running and that were ended
    problem: str = ""  # why it could not be started


class _AgentGoneError(Exception):
    pass


def nurse(jobs: Connection, control: socket.socket, title: str) -> None:
    """The process's life: jobs in, Ended out, until the agent is gone. In between lists of lines of standard error."""
    gc.freeze()  # nothing of the agent's may close a descriptor whose number is used anew here
    _close_all_but({0, 1, 2, jobs.fileno(), control.fileno()})
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    setproctitle(f"squad: {title}{TITLE}")
    with contextlib.suppress(_AgentGoneError, EOFError, OSError):
        while True:
            number, job = jobs.recv()
            jobs.send(_Run(number, job, jobs, control).to_its_end())


def _close_all_but(kept: set[int]) -> None:
    for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if number not in kept:
            with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
                os.close(number)


class Tail:
    """The last ``limit`` bytes of what was added, and how many came before. Holds no more than twice as much."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        self._total += len(data)
        self._kept += data
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]

    def content(self) -> bytes:
        return bytes(self._kept[-self._limit :])

    @property
    def cut(self) -> int:
        return max(0, self._total - self._limit)


class Lines:
    """Bytes as lines of text, cut where they are too long; after ``limit`` bytes there are no more."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._begun = bytearray()

    def add(self, data: bytes) -> list[str]:
        if self._left <= 0:
            return []
        self._begun += data
        *lines, self._begun = self._begun.split(b"\n")
        while len(self._begun) > _LONGEST_LINE:
            lines.append(self._begun[:_LONGEST_LINE])
            del self._begun[:_LONGEST_LINE]
        return self._taken(lines)

    def rest(self) -> list[str]:
        begun, self._begun = self._begun, bytearray()
        return self._taken([begun])

    def _taken(self, lines: list[bytearray]) -> list[str]:
        taken = []
        for line in lines:
            for start in range(0, len(line), _LONGEST_LINE):
                if self._left > 0:
                    piece = line[start : start + _LONGEST_LINE]
                    self._left -= len(piece) + 1
                    text = piece.decode(errors="backslashreplace").rstrip("\r")
                    taken.append(text if self._left > 0 else f"{text} … and more, which is not logged")
        return taken


class _Run:
    def __init__(self, number: int, job: Job, jobs: Connection, control: socket.socket) -> None:
        self._number = number
        self._job = job
        self._jobs = jobs
        self._control = control
        self._output = Tail(job.output_limit)
        self._errors = Tail(_ERRORS_KEPT)
        self._lines = Lines(job.output_limit)
        self._input = memoryview(job.input)
        self._status: int | None = None  # of the command's own process, once it has ended
        self._why = "timeout"  # what the command will be ended for at _end_at
        self._ended_for = ""
        self._end_at = time.monotonic() + job.timeout  # monotonic: SIGTERM
        self._grace = _GRACE
        self._told = False  # SIGTERM was sent
        self._kill_at: float | None = None  # monotonic: SIGKILL
        self._killed_at: float | None = None
        self._children = True  # something that came of the command is still there
        self._left = 0

    def to_its_end(self) -> Ended:
        job = self._job
        try:
            self._process = subprocess.Popen(
                job.arguments,
                executable=job.program,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=job.directory,
                env=job.environment,
                start_new_session=True,
            )
        except OSError as error:
            return Ended(problem=_reason(error, job))
        except (ValueError, subprocess.SubprocessError) as error:
            return Ended(problem=str(error))
        try:
            with selectors.PollSelector() as self._selector:
                self._live()
        finally:
            self._process.returncode = self._status  # it was collected here
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        output, errors = self._output, self._errors
        status = self._status or 0
        return Ended(status, self._ended_for, output.content(), output.cut, errors.content(), self._left)

    # -- its life ---------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        process, selector = self._process, self._selector
        pidfd = os.pidfd_open(process.pid)
        try:
            selector.register(pidfd, selectors.EVENT_READ, self._look)
            selector.register(self._control, selectors.EVENT_READ, self._take_order)
            selector.register(self._jobs, selectors.EVENT_READ, self._agent_gone)
            self._open_pipe(process.stdin, selectors.EVENT_WRITE, self._write)
            self._open_pipe(process.stdout, selectors.EVENT_READ, self._read_output)
            self._open_pipe(process.stderr, selectors.EVENT_READ, self._read_errors)
            while self._children and not self._given_up():
                for key, _ in selector.select(self._patience()):
                    key.data()
                    if key.fd == pidfd and self._status is not None:
                        selector.unregister(pidfd)
                self._look()
                self._keep_time()
            self._read_what_is_left()
        except BaseException:
            self._end_at_once()
            raise
        finally:
            os.close(pidfd)

    def _open_pipe(self, pipe: IO[bytes] | None, event: int, call: object) -> None:
        assert pipe is not None  # noqa: S101 - all three were asked for
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, event, call)

    def _patience(self) -> float:
        """Seconds to wait for news."""
        now = time.monotonic()
        if self._status is not None or self._told:
            return _LOOK
        return max(0.0, min(self._end_at - now, _IDLE_LOOK))

    def _given_up(self) -> bool:
        return self._killed_at is not None and time.monotonic() - self._killed_at > _GIVE_UP

    def _look(self) -> None:
        """Collect whatever has ended: the command's own process, and what came to us because its parent ended."""
        try:
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                _, status = os.waitpid(found.si_pid, 0)
                if found.si_pid == self._process.pid:
                    self._status = os.waitstatus_to_exitcode(status)
                    if not self._told:
                        self._end_at = time.monotonic() + _LINGER
        except ChildProcessError:
            self._children = False

    def _keep_time(self) -> None:
        now = time.monotonic()
        if not self._children:
            return
        if not self._told and now >= self._end_at:
            self._told = True
            self._kill_at = now + self._grace
            running = len(self._signal(signal.SIGTERM))
            if self._status is None:
                self._ended_for = self._why
            else:
                self._left = running
        elif self._kill_at is not None and now >= self._kill_at:
            self._killed_at = self._killed_at or now
            self._kill_at = now + 10 * _LOOK  # once more, for what was forked meanwhile
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> list[psutil.Process]:
        """Signal the command's group, and every process below us that is not in it. Those that there were."""
        group = self._process.pid if self._status is None else None  # collected: the number may be another's by now
        if group is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        below = psutil.Process().children(recursive=True)
        for process in below:
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if group is None or os.getpgid(process.pid) != group:
                    process.send_signal(number)
        return below

    def _end_at_once(self) -> None:
        """The agent is gone, or this process is in trouble itself."""
        deadline = time.monotonic() + _GIVE_UP
        self._look()
        while self._children and time.monotonic() < deadline:
            self._signal(signal.SIGKILL)
            time.sleep(_LOOK)
            self._look()

    # -- orders -----------------------------------------------------------------------------------------------------

    def _take_order(self) -> None:
        data = self._control.recv(4096)
        if not data:
            raise _AgentGoneError
        order = json.loads(data)
        at = time.monotonic() + order["after"]
        if order["number"] == self._number and not self._told and self._status is None and at < self._end_at:
            self._end_at, self._why, self._grace = at, order["why"], order["grace"]

    def _agent_gone(self) -> None:
        raise _AgentGoneError  # it says nothing while a job runs: this is the end of the connection

    # -- pipes ------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101
        try:
            written = os.write(pipe.fileno(), self._input[:_CHUNK]) if self._input else 0
        except BlockingIOError:
            return
        except OSError:  # it does not want to know
            self._input = self._input[:0]
        else:
            self._input = self._input[written:]
        if not self._input:
            self._close(pipe)

    def _read_output(self) -> None:
        self._output.add(self._read(self._process.stdout))

    def _read_errors(self) -> None:
        data = self._read(self._process.stderr)
        self._errors.add(data)
        self._pass_on(self._lines.add(data))

    def _pass_on(self, lines: list[str]) -> None:
        if lines:
            self._jobs.send(lines)

    def _read(self, pipe: IO[bytes] | None) -> bytes:
        assert pipe is not None  # noqa: S101
        try:
            data = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return b""
        if not data:
            self._close(pipe)
        return data

    def _close(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        with contextlib.suppress(OSError):
            pipe.close()

    def _read_what_is_left(self) -> None:
        """Whatever had been written when the last of them ended."""
        for pipe, read in ((self._process.stdout, self._read_output), (self._process.stderr, self._read_errors)):
            # A process elsewhere may have been handed the other end: what it still writes is not waited for.
            until = time.monotonic() + _LINGER
            while pipe is not None and not pipe.closed and time.monotonic() < until:
                if not _readable(pipe):
                    break
                read()
        self._pass_on(self._lines.rest())


def _readable(pipe: IO[bytes]) -> bool:
    with selectors.PollSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(0))


def _reason(error: OSError, job: Job) -> str:
    said = (error.strerror or str(error)).lower()
    if error.filename == job.directory and error.filename != job.program:
        return f"its working directory {job.directory}: {said}"
    return f"{job.program}: {said}"
