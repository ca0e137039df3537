"""What a squad leaves in its home and among the processes when it could not clean up itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from squad.errors import StartError
from squad.home import Home
from squad.launcher import processes

_PATIENCE = 20.0  # seconds for killed processes to be gone
_KEPT = "hand"  # in run/: what each agent had in hand when it was killed; the supervisor reads and removes it


def clear(home: Path) -> int:
    """End what runs of the squad in ``home``, but for this process, and remove its sockets. How many processes.

    Only for who holds the lock of the home. Raises StartError when a process survives its kill, which only the kernel
    can cause.
    """
    ended, left = processes.end_marked(home, _PATIENCE)
    if left:
        raise StartError(
            f"{counted(left)} of the squad in {home} cannot be ended: the kernel does not let go",
            hint="ps -eo pid,stat,wchan:20,args shows what they wait for",
        )
    sweep(home)
    return ended


def sweep(home: Path) -> None:
    """Remove the sockets and whatever else only a running squad needs."""
    for path in (Home(home).socket(), home / "control.sock", home / "control.path"):
        path.unlink(missing_ok=True)
    run = home / "run"
    for entry in run.iterdir() if run.is_dir() else ():
        if not entry.is_dir() or entry.is_symlink():
            entry.unlink()
        elif entry.name != _KEPT:
            shutil.rmtree(entry)


def counted(processes: int) -> str:
    return f"{processes} process{'es' if processes > 1 else ''}"
