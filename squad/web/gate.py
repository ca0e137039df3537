"""What the pages may ask, and whom: handed to them by whoever serves them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from squad.clock import Clock

if TYPE_CHECKING:
    from squad.config.schema import SquadConfig
    from squad.store.database import Pool


@dataclass(frozen=True, slots=True)
class Gate:
    """``rows`` are those of the actor tree, ``why`` (of a message's id) is what ``/v1/messages/{id}/why`` answers, and
    ``schedules`` what ``/v1/schedules`` lists; all may raise SquadError. ``may_write`` says whether who asks has shown
    the token; ``writable`` whether there is one."""

    squad: str
    home: Path
    config: SquadConfig
    pool: Pool
    clock: Clock
    rows: Callable[[], Awaitable[list[dict[str, Any]]]]
    why: Callable[[str], Awaitable[dict[str, Any]]]
    schedules: Callable[[], Awaitable[list[dict[str, Any]]]]
    may_write: Callable[[Request], bool]
    writable: bool
