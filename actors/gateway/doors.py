"""The gateway's listeners beside its Unix socket: the dashboard's and that of the metrics, each only when asked for.

A door that cannot be opened, because something else has its port, is said in the log and tried again now and then; the
squad goes on without it. All of this runs on the HTTP side's event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from squad.actors import logs
from squad.actors.gateway.guard import Guard
from squad.actors.gateway.guarding import Policy
from squad.actors.gateway.ports import Port, Ports
from squad.actors.gateway.serving import serve
from squad.actors.gateway.token import Token, token_of
from squad.config.listening import ListenConfig, Place
from squad.errors import StartError

if TYPE_CHECKING:
    from squad.config.schema import SquadConfig

Name = Literal["dashboard", "metrics"]

ANYWHERE = Place("127.0.0.1", 0)
"""Where the dashboard listens when somebody wants it and the configuration does not say where."""

_MOST = 500  # connections of a door
_BACKLOG = 128


class Open(NamedTuple):
    """A door that is open. ``writable``: it has a token."""

    place: Place
    writable: bool

    @property
    def url(self) -> str:
        """For a browser on this machine: what listens on all of its addresses is reached by that of loopback."""
        address = ip_address(self.place.host)
        if address.is_unspecified:
            return _address("127.0.0.1" if address.version == 4 else "::1", self.place.port)
        return _address(*self.place)


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


class Doors:
    """``make`` makes what a door leads to, with its policy."""

    def __init__(self, home: Path, config: SquadConfig, make: Callable[[Name, Policy], ASGIApp]) -> None:
        self._settings: dict[Name, ListenConfig] = {"dashboard": config.dashboard, "metrics": config.metrics}
        self._ports = Ports(home)
        self._cookie = f"squad_{sha256(str(home).encode()).hexdigest()[:12]}"  # a browser sends it to all ports
        self._make = make
        self._opened: dict[Name, Open] = {}
        self._guards: dict[Name, Guard] = {}
        self._complained: dict[Name, str] = {}
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def shut(self) -> bool:
        """Whether one that the configuration wants is not open. For any thread."""
        return any(settings.place is not None and name not in self._opened for name, settings in self._settings.items())

    def open_configured(self) -> None:
        """Open those that the configuration wants and that are not open. What goes wrong is logged once."""
        for name, settings in self._settings.items():
            if settings.place is None or name in self._opened:
                continue
            try:
                opened = self._open(name, settings.place)
            except StartError as error:
                if self._complained.get(name) != error.message:
                    logs.logger("gateway").error("%s", error.message)
                    self._complained[name] = error.message
            else:
                self._complained.pop(name, None)
                logs.logger("gateway").info("%s: listening on %s", name, _address(*opened.place))

    def open_again(self) -> None:
        """Open the dashboard if an earlier gateway of this life of the squad was told to: its pages wait for it."""
        last = self._ports.last("dashboard")
        if last is not None and last.wished and "dashboard" not in self._opened:
            with contextlib.suppress(StartError):
                self.open_dashboard()

    def open_dashboard(self) -> Open:
        """The dashboard's, opened on a port of loopback if need be. Raises StartError."""
        if (found := self._opened.get("dashboard")) is not None:
            return found
        return self._open("dashboard", self._settings["dashboard"].place or ANYWHERE)

    def renew(self, make: Callable[[Name, Policy], ASGIApp]) -> None:
        """Have the open doors lead to something made anew."""
        self._make = make
        for name, guard in self._guards.items():
            guard.app = make(name, guard.policy)

    def _open(self, name: Name, place: Place) -> Open:
        settings = self._settings[name]
        # What the metrics' own door shows is no secret, and Prometheus is mostly another user.
        token, hosts = self._token(name, settings), frozenset(settings.hosts)
        policy = Policy(token, hosts, not place.loopback, self._cookie, ours=name == "dashboard")
        try:
            listener = self._listen(name, place)
        except OSError as error:
            wanted = f"{name}.listen" if settings.place is not None else f"the {name}"
            raise StartError(
                f"{wanted}: cannot listen on {place.host}, port {place.port}: {error.strerror or error}",
                hint=f"name another port under {name}.listen in the configuration, then: squad reload",
            ) from None
        self._guards[name] = guard = Guard(self._make(name, policy), policy)
        serving = asyncio.get_running_loop().create_task(serve(guard, listener, H11Protocol, _MOST))
        self._serving.add(serving)
        found = Open(Place(place.host, listener.getsockname()[1]), policy.token is not None)
        if not place.port:
            self._ports.keep(name, Port(found.place.port, wished=settings.place is None))
        self._opened[name] = found
        return found

    def _listen(self, name: Name, place: Place) -> socket.socket:
        """Where any port will do, the one it had before, unless that is somebody else's now. Raises OSError."""
        if not place.port and (last := self._ports.last(name)) is not None:
            with contextlib.suppress(OSError):
                return listen(place._replace(port=last.number))
        return listen(place)

    @staticmethod
    def _token(name: Name, settings: ListenConfig) -> Token | None:
        """It was checked before the squad started; a gateway that is born later has the same environment."""
        try:
            return token_of(settings)
        except ValueError as error:
            raise StartError(
                f"{name}.token_env: {error}", hint="set it where squad start is typed, and start the squad again"
            ) from None


def listen(place: Place) -> socket.socket:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what is left of our last connections is ours
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((place.host, place.port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
