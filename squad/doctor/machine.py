"""The machine: the kernel, Python, SQLite, and what the system does to processes in the background."""

from __future__ import annotations

import ctypes
import os
import platform
import pwd
import sqlite3
import sys
from pathlib import Path

from squad.doctor.finding import Finding, fail, ok, warn
from squad.doctor.subject import Subject

_OLDEST_PYTHON = (3, 11)
_PR_GET_PDEATHSIG = 2

# https://sqlite.org/wal.html#walresetbug
_DEFECT_BEGAN, _DEFECT_ENDED = (3, 7, 0), (3, 51, 3)
_MENDED_SERIES = {(3, 44): 6, (3, 50): 7}  # older series which got the repair, and in which patch

_LOGIND = ("usr/lib/systemd/logind.conf", "etc/systemd/logind.conf")
_LOGIND_PARTS = ("usr/lib/systemd/logind.conf.d", "etc/systemd/logind.conf.d", "run/systemd/logind.conf.d")


def system(_: Subject) -> Finding:
    if sys.platform != "linux":
        return fail(f"this is {platform.system()}, and Squad needs Linux", "run it on Linux, or in WSL 2")
    kernel = platform.release()
    if missing := _missing_calls():
        return fail(
            f"Linux {kernel} lacks {', '.join(missing)}",
            "use a kernel from 5.3 on; in a container or sandbox, allow these system calls",
        )
    return ok(f"Linux {kernel}")


def _missing_calls() -> list[str]:
    """What of that by which a squad's processes are held and ended does not work here."""
    missing = []
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        missing.append("pidfd_open")
    if ctypes.CDLL(None).prctl(_PR_GET_PDEATHSIG, ctypes.byref(ctypes.c_int()), 0, 0, 0) != 0:
        missing.append("PR_SET_PDEATHSIG")
    try:
        Path("/proc/self/environ").read_bytes()
    except OSError:
        missing.append("/proc")
    return missing


def python(_: Subject) -> Finding:
    if sys.version_info < _OLDEST_PYTHON:
        return fail(f"this is Python {platform.python_version()}", "use Python 3.11 or newer")
    return ok(f"{platform.python_version()} ({sys.executable})")


def sqlite(_: Subject) -> Finding:
    version = sqlite3.sqlite_version
    if not has_wal_defect(sqlite3.sqlite_version_info):
        return ok(version)
    return ok(
        f"{version}, with the WAL-reset defect of 3.7.0 to 3.51.2: it can damage a database to which two connections"
        " write. A squad is safe from it, as only its storage writes and all others open read-only. So let no other"
        " program write to squad.db"
    )


def has_wal_defect(version: tuple[int, ...]) -> bool:
    """Whether that SQLite has the WAL-reset defect."""
    if not _DEFECT_BEGAN <= version < _DEFECT_ENDED:
        return False
    return version[2] < _MENDED_SERIES.get((version[0], version[1]), version[2] + 1)


def logout(_: Subject) -> Finding:
    return logout_under(Path("/"), pwd.getpwuid(os.geteuid()).pw_name)


def logout_under(root: Path, user: str) -> Finding:
    """Whether systemd would end the squad of ``user`` when that user logs out, by the files below ``root``."""
    if not (root / "run/systemd/system").is_dir():
        return ok("systemd does not run here")
    lingers = (root / "var/lib/systemd/linger" / user).exists()
    if user == "root" or lingers or not _kills_at_logout(root):
        return ok("a squad in the background stays when you log out")
    return warn(
        "systemd is set up to end what you left running when you log out (KillUserProcesses)",
        f"loginctl enable-linger {user}",
    )


def _kills_at_logout(root: Path) -> bool:
    """What logind's files say, the last one to say anything; systemd's own default is no."""
    parts = {path.name: path for folder in _LOGIND_PARTS for path in (root / folder).glob("*.conf")}
    value = "no"
    for path in (*(root / name for name in _LOGIND), *(parts[name] for name in sorted(parts))):
        for line in path.read_text(errors="replace").splitlines() if path.is_file() else ():
            key, _, said = line.partition("=")
            if key.strip() == "KillUserProcesses":
                value = said.strip().lower()
    return value in ("yes", "true", "on", "1")
