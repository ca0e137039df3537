"""The socket on which the gateway listens, for processes of the same user and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from squad.errors import HomeError, StartError

SOCKET = "control.sock"
ELSEWHERE = "control.path"  # names the socket when the home's own path is too long for one

_NEW = "control.new"
_LONGEST = 107  # bytes of a Unix socket's path, on Linux
_LONGEST_FOLDER = 60  # bytes of a folder that leaves room for the rest
_TEMPORARY = Path("/tmp")  # noqa: S108 - what is made in it is checked to be ours alone
_BACKLOG = 1024
_CREDENTIALS = struct.Struct("3i")  # of SO_PEERCRED: pid, uid, gid


def listen(home: Path) -> socket.socket:
    """A listening socket, mode 0600, at ``control.sock`` in ``home``, or at the path that ``control.path`` names.

    A socket that a dead gateway left there is replaced, in one step, so that a client finds the old one or the new.
    Raises StartError when another gateway still listens there, and HomeError when no folder can be used.
    """
    path = home / SOCKET
    if len(os.fsencode(path)) > _LONGEST:
        path = _short_folder() / f"{hashlib.sha256(os.fsencode(home)).hexdigest()[:24]}.sock"
        new = path.with_suffix(".new")
    else:
        new = home / _NEW
    if _answers(path):
        raise StartError(f"another gateway still listens on {path}", hint="squad stop --force ends it")
    new.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        mask = os.umask(0o177)  # from bind on, and not only after a chmod
        try:
            listener.bind(str(new))
        finally:
            os.umask(mask)
        listener.listen(_BACKLOG)
        new.replace(path)
        _name(home, path)
    except BaseException:
        listener.close()
        raise
    return listener


def remove(home: Path) -> None:
    """Take the socket's name away, so that nobody else comes in; who is connected stays so."""
    named = home / ELSEWHERE
    try:
        path = Path(named.read_text(encoding="utf-8").strip())
    except OSError:
        path = home / SOCKET
    path.unlink(missing_ok=True)
    named.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    """Whether a process listens at ``path``. One that is stopped or busy counts: its queue of connections answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except BlockingIOError:  # its queue is full
            return True
        except OSError:
            return False
        return True


def _name(home: Path, path: Path) -> None:
    """Write ``control.path``, or remove one that no longer holds."""
    named = home / ELSEWHERE
    if path.parent == home:
        named.unlink(missing_ok=True)
        return
    new = named.with_suffix(".path.new")
    new.write_text(f"{path}\n", encoding="utf-8")
    new.chmod(0o600)
    new.replace(named)


def _short_folder() -> Path:
    """A folder with a short path that only this user can enter."""
    user = os.geteuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    candidates = [Path(runtime) / "squad"] if runtime and len(os.fsencode(runtime)) <= _LONGEST_FOLDER else []
    candidates.append(_TEMPORARY / f"squad-{user}")
    for folder in candidates:
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == user and not stat.S_IMODE(found.st_mode) & 0o077:
                return folder
    raise HomeError(
        f"the path of the home is too long for a socket, and {candidates[-1]} is not a folder of yours alone",
        hint="squad start --home DIR, with a shorter path",
    )


class SameUser(H11Protocol):
    """HTTP/1.1 for connections of this process's own user.

    The home's mode keeps others out already. This also refuses a socket that was handed over, or one in a home whose
    mode was changed while the squad runs.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if _peer(transport.get_extra_info("socket")) != os.geteuid():
            self.logger.warning("refused a connection of another user")
            transport.abort()


def _peer(connection: Any) -> int:
    """The user at the other end, as the kernel says it was when it connected."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[1])
