"""Worker processes of a queue: started together, and all gone at the end, whatever they started themselves included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
OUTPUT = "workers.out"  # in the queue's folder: what they print
_GRACE = 5.0  # seconds for a process to end when told to


@contextmanager
def running(
    arguments: Sequence[Sequence[str]], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[list[int]]:
    """One process of this Python for each list of arguments, apart from the terminal's Ctrl-C; their ids."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for each in arguments:
            started.append(_start(each, folder, environment or {}))  # noqa: PERF401 - each is ended if the next fails
        yield [process.pid for process in started]
    finally:
        _end(started)


def with_children(pids: Sequence[int]) -> list[int]:
    """These processes and all that came from them, as far as they live."""
    return [process.pid for process in _family(pids)]


def _start(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (folder / OUTPUT).open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            start_new_session=True,
        )


def said(folder: Path) -> str:
    """The last line that a worker printed, "" if there is none."""
    output = folder / OUTPUT
    lines = output.read_text(errors="replace").split("\n") if output.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    family = _family([process.pid for process in started])
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=_GRACE)
    for straggler in left:
        straggler.kill()  # psutil looks at the start time too, so a number that was given anew is never hit
    psutil.wait_procs(left, timeout=_GRACE)
    for process in started:
        process.wait()


def _family(pids: Sequence[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found
