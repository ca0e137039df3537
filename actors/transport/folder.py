"""The folder of sockets: one file for each process that listens, in a folder that only its owner can enter."""

from __future__ import annotations

import os
import secrets
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from squad.errors import HomeError

LONGEST_PATH = 107  # bytes in sockaddr_un.sun_path, without its closing NUL
_NAME_BYTES = 8  # 64 random bits: a name never comes again, so a late message never reaches another actor


@dataclass(frozen=True)
class SocketFolder:
    """``prefix`` + a name is what a socket of this folder is bound and connected to.

    It is the path itself, or, where that would be too long for a socket, a path through ``descriptor``: an open
    descriptor of the folder, which every process of the tree inherits under the same number.
    """

    path: Path
    prefix: str
    descriptor: int | None = None

    def fresh(self) -> str:
        """What a new socket is bound to: never the same twice."""
        return self.prefix + secrets.token_hex(_NAME_BYTES)

    def sweep(self) -> None:
        """Remove every socket file that nobody listens at any more, and nothing else."""
        for entry in os.scandir(self.path):
            if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode) and _is_dead(self.prefix + entry.name):
                Path(entry.path).unlink(missing_ok=True)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


def _is_dead(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:  # its backlog is full, so it lives; or it is gone, or no path for a socket
            return False
    return False


def open_folder(path: Path) -> SocketFolder:
    """The folder at ``path``, made if it is missing, with mode 0700. Raises HomeError if it is not the user's own."""
    path = path.absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise HomeError(f"the folder for sockets cannot be used: {path}: {error.strerror}") from error
    if os.fstat(descriptor).st_uid != os.geteuid():
        os.close(descriptor)
        raise HomeError(f"the folder for sockets belongs to another user: {path}", hint="choose another home")
    os.fchmod(descriptor, 0o700)
    prefix = f"{path}/"
    if len(os.fsencode(prefix)) + 2 * _NAME_BYTES <= LONGEST_PATH:
        os.close(descriptor)
        return SocketFolder(path, prefix)
    return SocketFolder(path, f"/proc/self/fd/{descriptor}/", descriptor)
