"""The program of the agent ``history``: what git knows of a file's last change, or else what the file system does.

    python -m squad.audit.history -- /absolute/path

It writes one ``last_change`` for ``reporter``, as a line of JSON, whatever is wrong with the file. Exit status 64: the
path makes no sense.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from squad.home import user_name

_MAX_TEXT = 200  # characters kept of a name or of a subject
_USAGE = 64  # EX_USAGE of sysexits.h
_GIT = (
    "git",
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",  # a file may be called *.py
    "-c",
    "log.showSignature=false",  # a repository may name any program to look at signatures with
)
_FORMAT = "%H%x00%ct%x00%an%x00%s"


def last_change(path: Path) -> dict[str, Any]:
    """The fields of a ``last_change``. ``path`` is absolute."""
    found = {"path": str(path), "source": "nowhere"}
    try:
        status = path.lstat()
    except (OSError, ValueError) as error:
        return found | {"detail": _clean(getattr(error, "strerror", None) or str(error))}
    known = _from_git(path)
    return found | (known or {"source": "files", "at": _iso(status.st_mtime), "by": user_name(status.st_uid)})


def _from_git(path: Path) -> dict[str, Any]:
    """Empty when it is in no repository, when git does not know it, and when there is no git."""
    command = [*_GIT, "-C", str(path.parent), "log", "-1", f"--format={_FORMAT}", "--", path.name]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError:
        return {}
    parts = done.stdout.decode(errors="replace").removesuffix("\n").split("\0")
    if done.returncode != 0 or len(parts) != 4:
        return {}
    commit, at, by, subject = parts
    return {
        "source": "git",
        "at": _iso(float(at)),
        "by": _clean(by),
        "commit": commit,
        "subject": _clean(subject),
    }


def _iso(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):  # a year that no calendar has
        return ""


def _clean(text: str) -> str:
    return text[:_MAX_TEXT].encode("utf-8", "backslashreplace").decode()


def main(arguments: list[str]) -> int:
    paths = [argument for argument in arguments if argument != "--"]
    if len(paths) != 1 or not os.path.isabs(paths[0]):  # noqa: PTH117 - "" is no path to Path
        sys.stderr.write("give one absolute path: agents do not run in your folder\n")
        return _USAGE
    message = {"recipient": "reporter", "type": "last_change", "payload": last_change(Path(paths[0]))}
    sys.stdout.write(json.dumps(message) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
