"""What would make minutes of measuring useless, found before they begin."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import psutil

from squad.actors import limits
from squad.errors import StartError, UsageError

_CORE = 8  # processes of a squad that are no agents, and the metronome
_SPARE_TASKS = 64  # threads of those
_FEWER = "ask for fewer agents: --agents, --many"
_EACH = 15e6  # bytes of memory that an agent may need, generously


def check(agents: int, folder: Path | None, output: Path | None) -> None:
    """``agents``: the most that run at once. Raises StartError, or UsageError for an output that cannot be written."""
    if output is not None:
        check_output(output)
    if sys.platform != "linux" or not Path("/proc/self/smaps_rollup").exists():
        raise StartError("this system does not say how much memory a process has: /proc/self/smaps_rollup is missing")
    check_limits(agents)
    place = folder or Path(tempfile.gettempdir())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(
            f"{place} is no folder in which something can be made",
            hint="name another one for the benchmark's squads: --folder DIR",
        )


def check_output(path: Path) -> None:
    """Whether a file can be written there, and if one is there, be written over. Raises UsageError."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint=f"name a file in it: --output {path / 'benchmark.json'}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
    hint = "name another file with --output"
    try:
        # By trying: what is allowed does not say what a file system can do.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint=hint) from None
    if path.exists() and not os.access(path, os.W_OK):
        raise UsageError(f"{path} is there and cannot be written over", hint=hint)


def check_limits(agents: int) -> None:
    """Whether the machine allows so many processes and has the memory for them. Raises StartError."""
    count = agents + _CORE
    needs = limits.Needs(count, limits.files_for(count), _SPARE_TASKS + 2 * count)
    if problems := [*limits.too_few_files(needs), *limits.too_few_tasks(needs)]:
        raise StartError(
            f"squads of {agents} agents are to be measured, and the system does not allow that many",
            problems=problems,
            hint=_FEWER,
        )
    free = psutil.virtual_memory().available
    if free < agents * _EACH:
        raise StartError(
            f"{agents} agents may need {agents * _EACH / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free",
            hint=_FEWER,
        )
