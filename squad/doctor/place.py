"""The home as a folder: whose it is, who may enter, on what it lies, and how much room there is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from squad.doctor.finding import Finding, fail, ok, warn
from squad.doctor.subject import Subject
from squad.durations import format_size
from squad.home import user_name

_MOST_FILES = 20_000  # looked at in a home; a handler may have put any number of its own there
_NAMED = 3  # files named

_LITTLE_SPACE, _NO_SPACE = 1_000_000_000, 100_000_000  # bytes
_FEW_FILES = 1000  # that the file system can still take

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "9p", "fuse.sshfs", "fuse.glusterfs", "lustre"}
_IN_MEMORY = {"tmpfs", "ramfs"}

_MUCH_LOG = 1_000_000_000  # bytes


def home(subject: Subject) -> Finding:
    path = subject.home.path
    if not path.exists():
        if os.access(subject.ground, os.W_OK):
            return ok(f"no squad was started in {path} yet")
        return fail(f"{path} is not there and cannot be made: {subject.ground} is not writable", "squad --home DIR …")
    if not subject.exists:
        return fail(f"{path} is not a folder", "name another home: squad --home DIR …")
    found = path.stat()
    if found.st_uid != os.geteuid():
        owner, me = user_name(found.st_uid), user_name(os.geteuid())
        return fail(f"{path} belongs to {owner}, and you are {me}", f"run this as {owner}, or: squad --home DIR …")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return fail(f"others may enter {path}: its mode is {mode:04o}, not 0700", f"chmod 700 {path}", fixable=True)
    return ok(f"{path} is yours alone")


def files(subject: Subject) -> Finding | None:
    if not subject.exists:
        return None
    foreign = [path for path in _below(subject.home.path) if path.lstat().st_uid != os.geteuid()]
    if not foreign:
        return ok("everything in the home is yours")
    names = ", ".join(str(path.relative_to(subject.home.path)) for path in foreign[:_NAMED])
    more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
    owners = ", ".join(sorted({user_name(path.lstat().st_uid) for path in foreign}))
    return fail(
        f"files in the home belong to {owners}: {names}{more}",
        f"sudo chown -R {user_name(os.geteuid())} {subject.home.path}",
    )


def _below(folder: Path) -> Iterator[Path]:
    left = _MOST_FILES
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            left -= 1
            if left < 0:
                return
            yield Path(parent, name)


def filesystem(subject: Subject) -> Finding:
    kind, mounted = mount_of(subject.ground, Path("/proc/self/mountinfo").read_text())
    if kind in _NETWORK:
        return fail(
            f"{subject.home.path} is on a network file system ({kind} at {mounted}), where SQLite's WAL mode and locks"
            " are not safe",
            "use a home on a local disk: squad start --home DIR",
        )
    if kind in _IN_MEMORY:
        return warn(
            f"{subject.home.path} is in memory ({kind} at {mounted}): its messages are lost when the machine restarts",
            "use a home on a disk: squad start --home DIR",
        )
    return ok(f"{kind} at {mounted}")


def mount_of(path: Path, table: str) -> tuple[str, str]:
    """The kind of the file system that a resolved path is on, and where it is mounted, by ``/proc/self/mountinfo``."""
    best, kind = Path("/"), "unknown"
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        where = Path(before.split()[4].encode().decode("unicode_escape"))  # a blank is written \040
        if path.is_relative_to(where) and len(where.parts) >= len(best.parts):
            best, kind = where, after.split()[0]  # of several on one place the last is the one that is seen
    return kind, str(best)


def disk(subject: Subject) -> Finding:
    found = os.statvfs(subject.ground)
    free = found.f_bavail * found.f_frsize
    what = f"{format_size(free)} free for {subject.home.path}"
    todo = f"make room on the file system of {subject.ground}: df -h {subject.ground}"
    if free < _NO_SPACE:
        return fail(f"only {what}", todo)
    if found.f_files and found.f_favail < _FEW_FILES:
        return fail(f"only {found.f_favail} more files fit on the file system of {subject.ground}", f"df -i {todo}")
    if free < _LITTLE_SPACE:
        return warn(f"only {what}", todo)
    return ok(what)


def logs(subject: Subject) -> Finding | None:
    folder = subject.home.logs
    if not folder.is_dir():
        return None
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    total = sum(sizes.values())
    crashes = sum(name.startswith("crash-") for name in sizes)
    reports = f", with {crashes} report{'s' if crashes > 1 else ''} of a crash (crash-*.txt)" if crashes else ""
    what = f"{format_size(total)} in {len(sizes)} file{'s' if len(sizes) != 1 else ''}{reports}"
    if total > _MUCH_LOG:
        largest = max(sizes, key=lambda name: sizes[name])
        return warn(
            f"the logs are large: {what}; the largest is {largest}",
            f"lower logging.max_size or logging.keep in the configuration, and delete what is old in {folder}",
        )
    return ok(what)
