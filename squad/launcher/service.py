"""What a service manager is told of a squad: that it is ready, how it is, that it stops, and that it is not stuck.

The protocol is systemd's sd_notify(3): datagrams to the socket that ``NOTIFY_SOCKET`` names. How the squad is, the
gateway is asked, through its own interface: an answer means that gateway and supervisor are well. Nothing here waits,
and without ``NOTIFY_SOCKET`` nothing happens.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import MutableMapping
from typing import Any

from squad.actors.transport.processes import belongs_to_parent
from squad.home import Home
from squad.terminal import escape

_SOON = 0.25  # seconds between two questions until the squad is ready
_SELDOM = 20.0  # seconds between two of them afterwards, at most
_ANSWERS = 10.0  # seconds for an answer
_PATIENCE = 60.0  # seconds after which it counts as started, though an agent is not ready: the others work
_NAMED = 5  # agents named in the state
_MOST = 1 << 20  # bytes of an answer

_REQUEST = b"GET /v1/health HTTP/1.1\r\nHost: squad\r\nConnection: close\r\n\r\n"


class Service:
    """See the module. ``attend`` is to be called at ``due``, and when ``descriptor`` is readable (None: it is not)."""

    def __init__(self, home: Home, environment: MutableMapping[str, str]) -> None:
        """Takes what is the launcher's alone out of ``environment``: no agent should speak to the service manager."""
        self._home = home
        self._manager = environment.pop("NOTIFY_SOCKET", "")
        lasts = environment.pop("WATCHDOG_USEC", "")
        watched = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog = int(lasts) / 1_000_000 if watched and lasts.isdigit() else 0.0  # seconds; 0: none
        self._every = min(_SELDOM, self._watchdog / 3) if self._watchdog else _SELDOM
        self._began = time.monotonic()
        self._ready = False
        self._said = ""
        self._connection: socket.socket | None = None
        self._answer = b""
        self._asked = 0.0  # monotonic
        self._next: float | None = self._began if self._manager else None  # when to ask; None: never (again)
        belongs_to_parent(self)

    @property
    def due(self) -> float | None:
        """Monotonic; None: never."""
        return self._next if self._connection is None else self._asked + _ANSWERS

    @property
    def descriptor(self) -> int | None:
        return None if self._connection is None else self._connection.fileno()

    def attend(self) -> None:
        """Take what has been answered; ask, when it is time."""
        if self._next is None:
            return
        now = time.monotonic()
        if self._connection is not None:
            if (health := self._read()) is not None:
                self._heard(health, now)
            elif now - self._asked >= _ANSWERS:
                self._hang_up()
        if self._connection is None and now >= self._next:
            self._ask(now)
        self._start_counts(now)

    def starting_again(self) -> None:
        """The tree died, and the launcher sees to it: it is not stuck, however long that takes."""
        self._hang_up()
        self._tell("WATCHDOG=1", "STATUS=starting everything again")
        self._said = ""

    def stopping(self, seconds: float) -> None:
        """It stops, and may take so long."""
        self._hang_up()
        self._tell("STOPPING=1", "STATUS=stopping", f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")
        self._next = None

    def _ask(self, now: float) -> None:
        self._asked, self._answer = now, b""
        self._next = now + (self._every if self._ready else _SOON)
        kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._connection = socket.socket(socket.AF_UNIX, kind)
        try:
            self._connection.connect(str(self._home.socket()))
            self._connection.sendall(_REQUEST)
        except OSError:  # it does not listen yet, or is busy
            self._hang_up()

    def _read(self) -> dict[str, Any] | None:
        """The answer, when all of it is there."""
        assert self._connection is not None  # noqa: S101 - the caller has looked
        try:
            while chunk := self._connection.recv(1 << 16):
                self._answer += chunk
                if len(self._answer) > _MOST:
                    break
        except BlockingIOError:
            return None
        except OSError:
            self._hang_up()
            return None
        self._hang_up()
        with contextlib.suppress(ValueError):
            health = json.loads(self._answer.partition(b"\r\n\r\n")[2])
            if isinstance(health, dict):
                return health
        return None

    def _heard(self, health: dict[str, Any], now: float) -> None:
        waiting, failed = health.get("waiting_for", []), [item["name"] for item in health.get("failed", [])]
        if waiting != ["supervisor"]:
            self._tell("WATCHDOG=1")
        state = _state(health.get("frozen") is not None, waiting, failed)
        if state != self._said and self._tell(f"STATUS={state}"):
            self._said = state
        if not self._ready and not waiting and self._tell("READY=1"):
            self._ready = True
            self._next = now + self._every

    def _start_counts(self, now: float) -> None:
        if not self._ready and now - self._began > _PATIENCE:
            self._ready = self._tell("READY=1")

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _tell(self, *lines: str) -> bool:
        """False when it has to be said again: the manager has not read yet what it was told before."""
        if not self._manager:
            return True
        address = f"\0{self._manager[1:]}" if self._manager.startswith("@") else self._manager
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.setblocking(False)
            try:
                manager.sendto("\n".join(lines).encode(errors="backslashreplace"), address)
            except BlockingIOError:
                return False
            except OSError:  # it is gone: there is nobody to tell
                return True
        return True

    def abandon(self) -> None:
        """For a forked child: the connection is its parent's."""
        self._hang_up()


def _state(frozen: bool, waiting: list[str], failed: list[str]) -> str:
    """One line for ``systemctl status``."""
    parts = []
    if frozen:
        parts.append("frozen: squad thaw lets it go on")
    if failed:
        parts.append(f"failed: {_names(failed)}")
    if waiting:
        parts.append(f"waiting for {_names(waiting)}")
    return escape("; ".join(parts) or "every agent is ready")


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
