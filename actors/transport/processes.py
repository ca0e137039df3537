"""How a process of the tree is made: by a bare fork, tied to its parent's life.

Thespian uses ``multiprocessing``, which keeps two descriptors open in the parent for each child, gives them to every
later child, and lets children outlive their parent. ``ChildProcess`` has the part of its interface that Thespian uses.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
import traceback
import weakref
from _signal import SIG_DFL, getsignal, pthread_sigmask  # signal's make an Enum of each number: 2 ms for each child
from _signal import signal as set_handler
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

CRASHED = os.EX_SOFTWARE  # 70: exit status of a process that an exception ended

_SIGNALS = [int(number) for number in signal.valid_signals()]
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Abandonable(Protocol):
    def abandon(self) -> None:
        """Close this process's copies of descriptors that belong to the parent, and touch nothing else."""


_parents_own: weakref.WeakSet[Abandonable] = weakref.WeakSet()


def belongs_to_parent(thing: Abandonable) -> None:
    """Have ``thing.abandon()`` called in every process that this one forks, by whatever means.

    A listening socket that lives on in a child takes messages for a dead parent, and nobody reads them.
    """
    _parents_own.add(thing)


def _abandon_what_is_the_parents() -> None:
    for thing in list(_parents_own):
        thing.abandon()
    _parents_own.clear()


os.register_at_fork(after_in_child=_abandon_what_is_the_parents)


class ChildProcess:
    """A child that runs ``target(*args)`` and ends, with status 70 after an exception.

    Fork from the main thread only: the kernel sends the signal that ends the child when the forking thread ends. One
    that is not ``tied`` to its parent's life gets no such signal, and must notice by itself.
    """

    def __init__(self, target: Callable[..., object], args: tuple[Any, ...], *, tied: bool = True) -> None:
        self.target, self.args, self.tied = target, args, tied
        self.pid = 0
        self.exitcode: int | None = None

    def start(self) -> None:
        parent = os.getpid()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()  # or the child would write it once more
        # A signal between the fork and the child's own dispositions would run the parent's handler in the child.
        mask = pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self.pid = os.fork()
            if self.pid == 0:
                self._run(parent)
            self.args = ()  # what hangs on them is the child's alone now
        finally:
            pthread_sigmask(signal.SIG_SETMASK, mask)

    def _run(self, parent: int) -> NoReturn:
        status = CRASHED
        try:
            if self.tied:
                die_with(parent)
            settle_in()
            self.target(*self.args)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def is_alive(self) -> bool:
        """Whether it still runs; collects its exit status once it does not."""
        if self.exitcode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else collected it
                self.exitcode = CRASHED
            else:
                if pid:
                    self.exitcode = os.waitstatus_to_exitcode(status)
        return self.exitcode is None


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies. ``parent``: its pid, known before the fork."""
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died between the fork and the call
        os._exit(CRASHED)


def settle_in() -> None:
    """Undo what a fresh process should not have from its parent."""
    gc.freeze()  # the collector leaves the parent's objects alone, so their pages stay shared
    os.umask(0o077)
    _stdin_from_nowhere()
    logging.root.handlers.clear()  # they write to the parent's log files; Squad's other loggers have none
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        if callable(getsignal(number)):
            set_handler(number, SIG_DFL)
    # Ctrl-C and a closed terminal reach every process of the terminal's group; the launcher decides what they mean.
    # A handler that does nothing, not SIG_IGN: programs which an actor starts get the default back.
    for number in (signal.SIGINT, signal.SIGHUP):
        set_handler(number, _leave_it_to_the_launcher)
    set_handler(signal.SIGTERM, SIG_DFL)
    pthread_sigmask(signal.SIG_SETMASK, ())


def _stdin_from_nowhere() -> None:
    if _is_nowhere(0):  # the parent's was, and its sys.stdin is as good
        return
    nowhere = os.open(os.devnull, os.O_RDONLY)
    if nowhere != 0:  # it is, where the parent had none
        os.dup2(nowhere, 0)
        os.close(nowhere)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process


def _is_nowhere(descriptor: int) -> bool:
    try:
        return os.fstat(descriptor).st_rdev == os.stat(os.devnull).st_rdev  # noqa: PTH116 - a look, not a path
    except OSError:
        return False


def _leave_it_to_the_launcher(number: int, frame: object) -> None:
    pass
