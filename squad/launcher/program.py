"""How the launcher's own process comes to be: a new program, ``python -m squad.launcher``.

In the foreground it takes the place of the command's process, in the background it is a child in a new session. It is
executed and not forked because the mark must be in the environment with which it is executed, and because what the
launcher forks should be small.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from squad.errors import UsageError
from squad.home import Home
from squad.launcher import processes
from squad.launcher.lock import LauncherLock, inherited
from squad.launcher.plan import Plan, receive
from squad.launcher.signals import STOP
from squad.terminal import escape

OUTPUT = "launcher.out"  # in logs/: what a squad in the background prints

_ARGUMENTS = 4  # its own name, two descriptors, and the mark


def say(text: str) -> None:
    """A message for the user, on standard error, if there is still somebody to read it."""
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        os.write(2, f"squad: {escape(text, lines=True)}\n".encode(errors="backslashreplace"))


def execute(plan: Plan, held: LauncherLock) -> NoReturn:
    """Become the launcher: the same process with another program."""
    environment = processes.environment(plan.home)
    command = _command(plan, held, environment[processes.MARK])
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)  # until it is ready to take them
    os.execve(command[0], command, environment)  # noqa: S606 - there is no shell, on purpose


def spawn(plan: Plan, held: LauncherLock) -> int:
    """Start the launcher in a session of its own, without a terminal. Its pid."""
    environment = processes.environment(plan.home)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output(plan.home)), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    command = _command(plan, held, environment[processes.MARK])
    return os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=actions,
        setsid=True,
        setsigdef=[signal.SIGINT, signal.SIGHUP, signal.SIGPIPE],
        setsigmask=STOP,
    )


def output(home: Path) -> Path:
    """Where a squad in the background prints."""
    folder = Home(home).logs
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / OUTPUT


def _command(plan: Plan, held: LauncherLock, mark: str) -> list[str]:
    """The mark is there to make it long enough: a title in ``ps`` can be no longer than the command line was."""
    numbers = [str(plan.share()), str(held.share())]
    return [sys.executable, "-P", "-m", "squad.launcher", *numbers, f"--mark={mark}"]


def inheritance(command: list[str]) -> tuple[Plan, LauncherLock]:
    """What the launcher was handed by its command line, ``sys.argv``. Raises UsageError."""
    if len(command) != _ARGUMENTS:
        raise UsageError("the launcher is started by another program", hint="squad start")
    plan, held = receive(int(command[1])), inherited(int(command[2]))
    if plan.detached:
        _close_all_but(int(command[2]))
    return plan, held


def _close_all_but(kept: int) -> None:
    """Let go of what the caller of ``squad start --detach`` had open: who reads from its pipes waits for their end."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, and only those that are there now
        if int(name) > 2 and int(name) != kept:
            with contextlib.suppress(OSError):  # the one with which the folder was read
                os.close(int(name))
