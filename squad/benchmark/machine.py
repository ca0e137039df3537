"""What it was measured on: the machine, the versions, and how busy it was with something else."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from squad import __version__

_PACKAGE = "squad-runtime"


def machine(folder: Path | None) -> dict[str, Any]:
    """``folder`` is where the squads are made: None, where temporary files go."""
    place = (folder or Path(tempfile.gettempdir())).resolve()
    return {
        "cores": os.cpu_count() or 1,
        "usable_cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "file_system": file_system(place),
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, Any]:
    return {
        "squad": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "packages": _packages(),
    }


def file_system(place: Path) -> str:
    """The type of the file system that a folder is on: ``ext4``. A folder in memory says ``tmpfs``."""
    mounted: list[tuple[int, str]] = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].encode().decode("unicode_escape"))  # a space is \040 there
        if place.is_relative_to(point):
            mounted.append((len(point.parts), after.split()[0]))
    return max(reversed(mounted), key=lambda found: found[0], default=(0, "unknown"))[1]  # the last one covers others


def _cpu_model() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _packages() -> dict[str, str]:
    """What Squad needs, and which version of it is here."""
    try:
        needed = metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:  # it runs from its sources
        return {}
    found = {}
    for requirement in needed:
        name, _, condition = requirement.partition(";")
        if "extra" not in condition:
            plain = re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0]
            found[plain] = metadata.version(plain)
    return found
