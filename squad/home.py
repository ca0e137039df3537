"""The home directory of a squad: finding it, making it safe, and reading who runs in it.

Everything that a squad keeps is in its home. The standard library only: every command goes through here first.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from squad.errors import HomeError, NotRunningError

FOLDER = ".squad"
VARIABLE = "SQUAD_HOME"

_DATABASE = "squad.db"
_LOCK = "launcher.lock"
_SOCKET = "control.sock"
_SOCKET_ELSEWHERE = "control.path"


@dataclass(frozen=True, slots=True)
class Launcher:
    """The launcher that holds a home now. ``pid`` is None while its file does not yet name a process that is alive."""

    pid: int | None
    name: str = ""
    config: str | None = None
    started_at: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """A home directory, by its absolute path. Nothing is checked until ``check`` or ``prepare`` is called."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / _DATABASE

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def tree(self) -> Path:
        """The last saved rows of the actor tree, as JSON."""
        return self.path / "tree.json"

    @property
    def last_stop(self) -> Path:
        """What the last stop left unfinished, as JSON."""
        return self.path / "last_stop.json"

    def socket(self) -> Path:
        """Where the gateway listens: ``control.sock``, or what ``control.path`` names when the home's path is long."""
        try:
            elsewhere = (self.path / _SOCKET_ELSEWHERE).read_text(encoding="utf-8").strip()
        except OSError:
            elsewhere = ""
        return Path(elsewhere) if elsewhere else self.path / _SOCKET

    def was_used(self) -> bool:
        """Whether a squad has been started here before."""
        return any((self.path / name).exists() for name in (_LOCK, _DATABASE))

    def check(self) -> str:
        """Refuse a home that is not ours, and close one that others may read.

        Returns what was changed, as a sentence for the user, or an empty string. Raises HomeError.
        """
        try:
            found = self.path.stat()
        except OSError as error:
            raise HomeError(f"the home {self.path} cannot be read: {error.strerror}") from None
        if not stat.S_ISDIR(found.st_mode):
            raise HomeError(f"the home {self.path} is not a folder", hint="squad start --home DIR")
        if found.st_uid != os.geteuid():
            raise HomeError(
                f"the home {self.path} belongs to {user_name(found.st_uid)}, and you are {user_name(os.geteuid())}",
                hint=f"run this as {user_name(found.st_uid)}, or use another folder: squad start --home DIR",
            )
        mode = stat.S_IMODE(found.st_mode)
        if not mode & 0o077:
            return ""
        if not self.was_used() and any(self.path.iterdir()):
            raise HomeError(
                f"{self.path} is not the home of a squad: it has other files in it, and others may read it",
                hint=f"squad start --home {self.path / FOLDER}",
            )
        try:
            self.path.chmod(0o700)
        except OSError as error:
            raise HomeError(
                f"the home {self.path} is open to others (mode {mode:04o}) and cannot be closed: {error.strerror}",
                hint=f"chmod 700 {self.path}",
            ) from None
        return f"closed {self.path} to others: its mode was {mode:04o} and is 0700 now"

    def prepare(self) -> str:
        """Make the home if it is missing, mode 0700, and ``check`` it. Returns what ``check`` returns."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
        except OSError as error:
            raise HomeError(
                f"the home {self.path} cannot be made: {error.strerror}", hint="squad start --home DIR"
            ) from None
        return self.check()

    def launcher(self) -> Launcher | None:
        """Who holds this home, or None. A launcher is alive while its file is locked, whatever the file says.

        The process id in the file is believed only if that process was created when the file says, because ids are
        used again. Looking takes a shared lock for a moment, so a launcher that meets one tries again.
        """
        try:
            file = os.open(self.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        with os.fdopen(file, encoding="utf-8") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return _read_launcher(opened.read())
        return None


def find(explicit: str | os.PathLike[str] | None = None) -> Home:
    """The home that a command means: ``explicit``, else ``SQUAD_HOME``, else ``.squad`` here or in a folder above.

    Raises NotRunningError when there is none. Nothing in it is checked yet: see ``Home.check``.
    """
    named = os.fspath(explicit) if explicit is not None else os.environ.get(VARIABLE, "")
    if named:
        home = Home(_absolute(named))
        if not home.path.exists():
            raise NotRunningError(
                f"there is no squad in {home.path}: no such folder", hint=f"squad start --home {named}"
            )
        return home
    here = _absolute(".")
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir():
            return Home(folder / FOLDER)
    raise NotRunningError(
        f"there is no squad here: no {FOLDER} folder in {here} or above it",
        hint="squad start, or name its home with --home DIR",
    )


def for_start(explicit: str | os.PathLike[str] | None = None, config: str | os.PathLike[str] | None = None) -> Home:
    """The home to start in: ``explicit``, else ``SQUAD_HOME``, else ``.squad`` beside ``config`` or in this folder."""
    named = os.fspath(explicit) if explicit is not None else os.environ.get(VARIABLE, "")
    if named:
        return Home(_absolute(named))
    return Home((_absolute(config).parent if config is not None else _absolute(".")) / FOLDER)


def created(pid: int) -> float | None:
    """When a process was created, in seconds since the epoch (within a second of what psutil says), or None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = next(
            line for line in Path("/proc/stat").read_text(encoding="ascii").splitlines() if line.startswith("btime ")
        )
    except (OSError, StopIteration):
        return None
    return float(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _read_launcher(text: str) -> Launcher:
    try:
        content = json.loads(text)
        pid, born = int(content["pid"]), float(content["created"])
    except (ValueError, KeyError, TypeError):
        return Launcher(None)  # it holds the lock and has not written yet
    alive = created(pid)
    config = content.get("config")
    return Launcher(
        pid if alive is not None and abs(alive - born) < 2 else None,
        str(content.get("name") or ""),
        str(config) if config else None,
        str(content.get("started_at") or ""),
    )


def _absolute(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # no current folder, a loop of links, no such user, a NUL
        raise HomeError(f"{os.fspath(path)!r} is no folder to use: {error}") from None


def user_name(uid: int) -> str:
    """Of a user of the system; its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
