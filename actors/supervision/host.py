"""What the supervisor's actor does for its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

from squad.actors.base import Actor, Spawned
from squad.actors.protocol import Address


class Host(Protocol):
    """What the actor does for its lifecycle."""

    def tell(self, address: Address, msg: object) -> None: ...
    def spawn_all(self, births: Sequence[tuple[type[Actor], object]]) -> list[Spawned]: ...
    def after(self, seconds: float, token: Any) -> None: ...
    def leave(self, status: int = 0, farewell: float = 2.0) -> NoReturn: ...
    def roster_changed(self) -> None: ...
