"""Where an actor listens, as Thespian's transports want to be told."""

from __future__ import annotations

import socket


class UnixAddress:
    """A socket in the tree's folder. ``path`` means the same in every process of the tree."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def socketArgs(self) -> tuple[int, int]:  # noqa: N802 - Thespian's name
        return socket.AF_UNIX, socket.SOCK_STREAM

    @property
    def bindArgs(self) -> tuple[str]:  # noqa: N802 - Thespian's name
        return (self.path,)

    @property
    def connectArgs(self) -> tuple[str]:  # noqa: N802 - Thespian's name
        return (self.path,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnixAddress) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __str__(self) -> str:
        return self.path.rpartition("/")[2]
