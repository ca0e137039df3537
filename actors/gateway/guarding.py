"""Who may ask what beyond the squad's own socket, where anybody who can connect is heard: decided from headers alone.

A browser is everybody's. So a request must name us as its host (a page of somebody else whose name was made to point
here does not), must not come from another site's page, and to change something its sender must have shown the token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from squad.actors.gateway.token import Token

READING = ("GET", "HEAD")
SIGNING = ("/login", "/logout")
_OPEN = ("/login", "/logout", "/healthz")  # for everybody, also where reading needs the token
_OPEN_BELOW = "/static/"  # our own files, the same for every squad

Refusal = Literal["host", "origin", "read-only", "stranger", "token"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: ``headers`` by lower-case name, all values of each; ``server``: the address that was connected to."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]]
    server: tuple[str, int | None]
    cookies: Mapping[str, str]
    own: bool = True  # it comes from a program of our own user

    def one(self, name: str) -> str | None:
        """The only value of a header; None when there is none, or several."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True)
class Policy:
    """``hosts``: further names by which we are reached, with or without port. ``private``: reading needs the token.
    ``ours``: likewise, for other users of the machine."""

    token: Token | None
    hosts: frozenset[str]
    private: bool
    cookie: str  # its name
    ours: bool = False

    def judge(self, asked: Asked) -> Refusal | None:
        """Why a request is refused; None when it may pass."""
        host = asked.one("host")
        if host is None or not self._is_ours(host.lower(), asked.server):
            return "host"
        if asked.method not in READING and _foreign(asked, host):
            return "origin"
        if asked.path in SIGNING or self._for_everybody(asked) or self.may_write(asked):
            return None
        if self.token is not None:
            return "token"
        return "stranger" if asked.method in READING else "read-only"

    def _for_everybody(self, asked: Asked) -> bool:
        """Whether it needs no token."""
        if asked.method not in READING:
            return False
        opened = asked.path in _OPEN or asked.path.startswith(_OPEN_BELOW)
        return opened or not (self.private or (self.ours and not asked.own))

    def may_write(self, asked: Asked) -> bool:
        """Whether who asks has shown the token: with this request, or to the sign-in page before."""
        if self.token is None:
            return False
        shown = asked.one("authorization")
        if shown is not None and shown[:7].lower() == "bearer ":
            return self.token.fits(shown[7:].strip())
        cookie = asked.cookies.get(self.cookie)
        return cookie is not None and self.token.cookie_fits(cookie)

    def _is_ours(self, host: str, server: tuple[str, int | None]) -> bool:
        """By a name, only ``localhost`` and what the configuration lists; an address must be the one connected to."""
        if host in self.hosts or host.rpartition(":")[0] in self.hosts:
            return True
        address, port = server
        shown = f"[{address}]" if ":" in address else address
        return host in (f"localhost:{port}", f"{shown}:{port}") or (port == 80 and host in ("localhost", shown))


def _foreign(asked: Asked, host: str) -> bool:
    """Whether a page of somebody else sends this. Programs say nothing of where they come from; browsers do."""
    origins = asked.headers.get("origin", ())
    if asked.headers.get("sec-fetch-site", ("same-origin",))[0] not in ("same-origin", "none"):
        return True
    if not origins:
        return "cookie" in asked.headers and "authorization" not in asked.headers
    return [origin.lower() for origin in origins] not in ([f"http://{host.lower()}"], [f"https://{host.lower()}"])
