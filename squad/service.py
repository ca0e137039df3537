"""A squad as a service of systemd: the unit file, as text, and where it belongs.

What its settings mean: systemd.service(5), systemd.exec(5) and systemd.kill(5).
"""

from __future__ import annotations

import math
import os
import pwd
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from squad.errors import UsageError

_STARTS = 180  # seconds; the launcher counts itself as started after 60, whatever its agents do
_WATCHDOG = 60  # seconds without a sign of life after which the squad is killed and started again
_BEYOND_SHUTDOWN = 20  # seconds that a stop may take when the running handlers have had their time
_TASKS = 16384  # processes and threads: 1,000 agents with their programs
# Settings that take the rest of their line cannot quote: there a line break begins another setting, and what stands at
# the end is cut off or joins the next line.
_NOT_IN_PATHS = re.compile(r"[\x00-\x1f\x7f]|[\s\\]$")

_HARDENING = """\
# Only the folders below can be written, and nothing else of the machine can be changed. Programs that agents run live
# under the same rules: for more room, `systemctl edit` this unit.
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
CapabilityBoundingSet=
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """What the unit is to run. Paths are absolute; ``shutdown`` is the longest time of a running handler, seconds.

    Raises UsageError for a path that a unit file cannot name.
    """

    squad: str
    python: Path
    config: Path
    home: Path
    shutdown: float
    path: str = field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    user: str | None = None  # a service of the whole machine, run by this user; None: the user's own service
    writable: Sequence[Path] = ()  # further folders that agents write to

    def __post_init__(self) -> None:
        for path in (self.python, self.config, self.config.parent, self.home, *self.writable):
            if _NOT_IN_PATHS.search(str(path)):
                raise UsageError(
                    f"systemd cannot be told of {str(path)!r}: a line break, or a space or \\ at the end",
                    hint="give that folder or file another name",
                )

    @property
    def name(self) -> str:
        """``squad-audit.service``, of the squad "audit"."""
        plain = re.sub(r"[^a-z0-9_-]+", "-", self.squad.lower()).strip("-")
        return f"squad-{plain}.service" if plain and plain != "squad" else "squad.service"

    @property
    def folder(self) -> Path:
        """Where systemd looks for it."""
        if self.user is not None:
            return Path("/etc/systemd/system")
        own = os.environ.get("XDG_CONFIG_HOME")
        return (Path(own) if own else Path.home() / ".config") / "systemd" / "user"

    def text(self) -> str:
        squad = [str(self.python), "-m", "squad.cli"]
        home = ["--home", str(self.home)]
        start = _line([*squad, "start", "--config", str(self.config), *home])
        reload = _line([*squad, "reload", *home])
        return f"""\
# Made by `squad service install`. Make it anew when something that it names has moved.
[Unit]
Description=Squad {self.squad.replace("%", "%%")}
After=network.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={start}
ExecReload={reload}
WorkingDirectory={_folder(self.config.parent)}
Environment={_word(f"PATH={self.path}")}
# Keys and other secrets, a line NAME=value for each; readable by you alone. It need not exist.
EnvironmentFile=-{_folder(self.config.parent / "squad.env")}
{self._who()}\
UMask=0077

# It says when its agents are ready, and is killed and started again when it gives no sign of life.
TimeoutStartSec={_STARTS}
WatchdogSec={_WATCHDOG}
Restart=on-failure
RestartSec=2
# Wrong usage and a bad configuration stay wrong.
RestartPreventExitStatus=2 4
# Running handlers have their time; then all that is left is ended, whatever it is.
KillMode=control-group
TimeoutStopSec={math.ceil(self.shutdown) + _BEYOND_SHUTDOWN}
# An agent that the kernel ends for its memory is restarted by the squad: no reason to end the others.
OOMPolicy=continue
TasksMax={_TASKS}

NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
{self._hardening()}
[Install]
WantedBy={"default.target" if self.user is None else "multi-user.target"}
"""

    def _who(self) -> str:
        return "" if self.user is None else f"User={self.user}\n"

    def _hardening(self) -> str:
        if self.user is None:  # a user's own manager may not be allowed to do any of it
            return ""
        folders = dict.fromkeys([self.config.parent, self.home, *self.writable])
        return _HARDENING + "".join(f"ReadWritePaths={_word('-' + str(folder))}\n" for folder in folders)


def out_of_reach(path: Path, user: str) -> Path | None:
    """The folder or file on the way to ``path`` that keeps a user from reading it, links followed; None: nothing does.

    By owner, group and mode. What has an access control list is taken to let the user through: that says more.
    Raises KeyError when there is no such user.
    """
    found = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, found.pw_gid))
    if found.pw_uid == 0:
        return None
    for step in _way(path):
        about = step.stat()
        wanted = stat.S_IXOTH if stat.S_ISDIR(about.st_mode) else stat.S_IROTH
        shift = 6 if about.st_uid == found.pw_uid else 3 if about.st_gid in groups else 0
        if not about.st_mode & wanted << shift and not _has_list(step):
            return step
    return None


def _way(path: Path) -> Iterator[Path]:
    """All that is passed on the way to a file that is there: folders from the root on, links as they are met."""
    at, left = Path("/"), list(path.absolute().parts[1:])
    yield at
    while left:
        following = at / left.pop(0)
        if following.is_symlink():
            target = following.readlink()
            at, left = (Path("/") if target.is_absolute() else at), [*target.parts[target.is_absolute() :], *left]
        else:
            at = following if following.name != ".." else at.parent
            yield at


def _has_list(path: Path) -> bool:
    try:
        return "system.posix_acl_access" in os.listxattr(path)
    except OSError:  # a file system without any
        return False


def _line(words: Sequence[str]) -> str:
    """A command line as systemd splits it."""
    return " ".join(_word(word).replace("$", "$$") for word in words)


def _word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return escaped if re.fullmatch(r"[^\s'\"\\;]+", text) else f'"{escaped}"'


def _folder(path: Path) -> str:
    """For settings that take the rest of the line as it is."""
    return str(path).replace("%", "%%")
