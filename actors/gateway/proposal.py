"""A configuration that somebody wants a running squad to take up: read and checked before anything is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from squad.config.load import load
from squad.errors import ConfigError, Problem, UsageError

_LIMIT = 60.0  # seconds for importing all classes


def read(path: Path) -> tuple[Any, dict[str, frozenset[str]]]:
    """The configuration in ``path``, and who handles what in it. Blocks; raises ConfigError naming every mistake.

    The users' classes are imported in a program of its own: the gateway has threads and must not fork.
    """
    config = load(path)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "squad.actors.agents.recipients", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT,
            check=False,
        )
        said = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise ConfigError(
            f"the classes that {path} names could not be examined: {type(error).__name__}",
            hint=f"squad config check {path}",
        ) from None
    if "error" in said:
        raise ConfigError(
            said["error"], hint=said["hint"], problems=[Problem(*problem) for problem in said["problems"]]
        )
    return config, {name: frozenset(types) for name, types in said["recipients"].items()}


def path_of(body: dict[str, Any], default: Path | None) -> tuple[Path, bool]:
    """The file that a reload request names, else the one the squad was started from, and whether it is a dry run."""
    unknown = body.keys() - {"path", "dry_run"}
    path, dry_run = body.get("path"), body.get("dry_run", False)
    if unknown or not isinstance(path, str | None) or not isinstance(dry_run, bool):
        raise UsageError('a reload takes {"path": text, "dry_run": true or false}, both optional')
    if path is None and default is None:
        raise UsageError("the squad was not started from a file", hint="squad reload --config FILE")
    return Path(path) if path is not None else default or Path(), dry_run
