"""Waiting until what an agent needs is there: a file, or a command that ends well. Runs on the agent's own thread."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

from squad.config.supervision import ReadyConfig
from squad.errors import StartError


def wait(rules: ReadyConfig, base_dir: Path, stopped: threading.Event) -> None:
    """Return once it is so. Raises StartError when it is not within ``rules.within`` seconds, or ``stopped`` is set."""
    deadline = time.monotonic() + rules.within
    while (problem := _problem(rules, base_dir)) is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise StartError(f"it was not ready within {rules.within:g} s: {problem}")
        if stopped.wait(min(rules.every, left)):
            raise StartError("it was stopped before it was ready")


def _problem(rules: ReadyConfig, base_dir: Path) -> str | None:
    if rules.file is not None:
        return None if (base_dir / rules.file).exists() else f"there is no {base_dir / rules.file}"
    assert rules.command is not None  # noqa: S101 - the configuration has one of both
    try:
        done = subprocess.run(
            rules.command,
            cwd=base_dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=rules.within,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return f"{rules.command[0]} ended with status {done.returncode}" + (f": {said[-1]}" if said else "")
