"""An address on which a squad listens beside its own socket, and what makes it safe to do so."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from squad.config.exporters import Variable
from squad.config.section import Section
from squad.config.values import complain, refuse

SHORTEST_TOKEN = 16
"""Characters: a token of fewer could be found by trying."""

_EXAMPLE = "write for example 127.0.0.1:8765 or [::1]:8765; with port 0 any free one is taken"


class Place(NamedTuple):
    """An IP address and a port; port 0: any free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return ip_address(self.host).is_loopback


def place_of(listen: str) -> Place:
    """The address that a checked ``listen`` means."""
    host, _, port = listen.rpartition(":")
    return Place("127.0.0.1" if host == "localhost" else host.strip("[]"), int(port))


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and int(port[:6]) < 65536):
        refuse("an IP address, a colon and a port", _EXAMPLE)
    if host == "localhost":
        return value
    try:
        found = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        refuse("an IP address, a colon and a port", _EXAMPLE)
    if (found.version == 6) != (host[:1] == "[" and host[-1:] == "]"):
        refuse("an IP address, a colon and a port", _EXAMPLE)
    return value


def _host(value: str) -> str:
    if not value or len(value) > 260 or not value.isascii() or not value.isprintable() or set(value) & set(" /@\\?#,"):
        complain("must be names as they stand in a browser's address, such as squad.example.org or localhost:9000")
    return value.lower()


def _blank(value: object) -> object:
    return [] if value is None else value


class ListenConfig(Section):
    """A listener that speaks HTTP."""

    listen: Annotated[str, AfterValidator(_listen)] | None = Field(
        default=None,
        description="Address on which it is served, such as `127.0.0.1:8765`; off unless given. One beyond this "
        "machine needs `token_env`.",
    )
    token_env: Variable | None = Field(
        default=None,
        validate_default=True,
        description=f"Variable of the environment that holds the token, {SHORTEST_TOKEN} characters or more, which "
        "allows to change things; beyond this machine also to read them.",
    )
    hosts: Annotated[list[Annotated[str, AfterValidator(_host)]], BeforeValidator(_blank)] = Field(
        default_factory=list,
        description="Further names by which it is reached, those of a proxy in front of it for example.",
    )

    @field_validator("token_env")
    @classmethod
    def _token_beyond_loopback(cls, value: str | None, info: ValidationInfo) -> str | None:
        listen = info.data.get("listen")
        if value is None and listen is not None and not place_of(listen).loopback:
            complain(
                f"is missing: {listen} can be reached from other machines, so whoever asks must show a token",
                "name the variable of the environment that holds it, or listen on 127.0.0.1",
                instead="listen",
            )
        return value

    @property
    def place(self) -> Place | None:
        """Where it listens; None: nowhere."""
        return None if self.listen is None else place_of(self.listen)


class DashboardConfig(ListenConfig):
    """The dashboard in a browser: see [the dashboard](dashboard.md). `squad dashboard` opens it also without this."""
