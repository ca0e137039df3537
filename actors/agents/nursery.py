"""Where an agent's commands run: a small process beside the agent's own, which starts them and leaves none behind.

It is forked before the agent has a second thread, stays single-threaded, and adopts whatever loses its parent below it
(a subreaper). So it knows every process that came of a command, however far it went from its group, and it outlives
the agent for the moment that it takes to end them: when the agent dies, the kernel closes its end of the connection.

``squad.actors.agents.commandrun`` has what goes on in that process; this is the agent's side.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import socket
import threading
from collections.abc import Callable

import psutil

from squad.actors.agents.commandrun import Ended, Job, nurse
from squad.actors.transport.processes import ChildProcess
from squad.errors import SquadError

TASK = "SQUAD_TASK"  # in the environment of a command, and of what it starts: the worker and the message
HOME = "SQUAD_HOME"
PATIENCE = 10.0  # seconds for a nursery, which keeps the time of its commands itself, to end one
SPARE = 2.5  # seconds before its agent's process is ended in which a command that still runs can end by itself


class NurseryLostError(SquadError):
    """The process that runs the commands is gone; what it was running has been ended."""


class Nursery:
    """Make it on the main thread, while there is no other. One job at a time."""

    def __init__(self, title: str) -> None:
        self._jobs, theirs = multiprocessing.Pipe()
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        self._lock = threading.Lock()
        self._number = 0
        self._label = ""  # of the job that runs; empty when none does
        self.process = ChildProcess(nurse, (theirs, control, title), tied=False)
        self.process.start()
        theirs.close()
        control.close()

    def run(self, job: Job, heard: Callable[[list[str]], None]) -> Ended:
        """Run a command to its end. ``heard`` gets the lines of its standard error meanwhile. Raises NurseryLostError.

        For one thread, which may be any.
        """
        with self._lock:
            self._number += 1
            self._label = job.label
        try:
            self._jobs.send((self._number, job))
            while True:
                answer: Ended | list[str] = self._jobs.recv()
                if isinstance(answer, Ended):
                    return answer
                heard(answer)
        except (EOFError, OSError):
            end_tasks(job.environment.get(HOME, ""), job.label)
            raise NurseryLostError("the process that runs the commands was ended") from None
        finally:
            with self._lock:
                self._label = ""

    def end(self, label: str, why: str, *, after: float = 0.0, grace: float = 2.0) -> bool:
        """Have the job ``label`` (empty: whichever runs) ended in ``after`` seconds: SIGTERM, ``grace``, SIGKILL.

        Never waits; for any thread. False when there is no such job.
        """
        with self._lock:
            if not self._label or (label and label != self._label):
                return False
            order = {"number": self._number, "why": why, "after": after, "grace": grace}
        with contextlib.suppress(OSError):  # lost: run() notices
            self._control.send(json.dumps(order).encode())
        return True

    def close(self) -> None:
        """Let the process go. A job that runs is ended at once."""
        self._jobs.close()
        self._control.close()


def end_tasks(home: str, label: str) -> int:
    """Kill every process whose environment says that it runs for ``label``, or for one that begins so, in ``home``.

    For what a nursery could not end because it was killed itself. How many.
    """
    count = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # gone, or another user's
            environment = process.environ()
            if environment.get(HOME) == home and environment.get(TASK, "").startswith(label):
                process.kill()
                count += 1
    return count
