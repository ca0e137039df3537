"""The gateway's HTTP interface: routes from JSON to the actors and back.

It knows the rest of the squad only through the Bridge, and the database only through Reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from squad.actors.gateway.admission import Admission
from squad.actors.gateway.answers import HANDLERS
from squad.actors.gateway.attending import Attending
from squad.actors.gateway.bodies import whole
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.catalogue import Catalogue
from squad.actors.gateway.dashboard import Dashboard
from squad.actors.gateway.explaining import Explaining
from squad.actors.gateway.holding import Holding
from squad.actors.gateway.intake import Intake
from squad.actors.gateway.messages import Messages
from squad.actors.gateway.openapi import Description
from squad.actors.gateway.ordering import Ordering
from squad.actors.gateway.planned import Planned
from squad.actors.gateway.probing import Counted, Probing
from squad.actors.gateway.seeing import Seeing
from squad.actors.gateway.steering import Steering
from squad.actors.gateway.stored import Stored
from squad.actors.gateway.tidying import Tidying
from squad.actors.protocol import Address
from squad.clock import SYSTEM, Clock
from squad.config.sinks import notifiers_of
from squad.errors import NotRunningError
from squad.store.waiting import Waiting

if TYPE_CHECKING:
    from peewee import Database

    from squad.actors.gateway.doors import Doors
    from squad.config.schedules import ScheduleConfig


class Reads(Protocol):
    """What is read from the database, on another thread. All may raise StoreError."""

    def exists(self, task_id: str) -> bool: ...

    def meant_for(self, task_id: str) -> tuple[str, str] | None: ...

    def queue_depths(self) -> Mapping[str, int]: ...

    def pool(self) -> Mapping[str, int]:
        """How its connections are used. Does not wait."""

    def keeper(self) -> Mapping[str, str]: ...

    def counted(self) -> Counted: ...

    def ask(self, question: Callable[[Database], Any]) -> Any:
        """The answer of a question that takes a connection."""

    def waiting(self, task_id: str, now: float) -> Waiting: ...


def application(routes: Sequence[BaseRoute]) -> Starlette:
    """Routes with our errors. A path with a slash too many is none of ours: a redirect would name a host."""
    made = Starlette(routes=routes, exception_handlers=HANDLERS)
    made.router.redirect_slashes = False
    return made


class Api:
    """See the module. ``sizes``: each convoy's (min, max); ``agents``: the names that can be restarted; ``source``: the
    configuration's file; ``rules`` and ``sinks``: of alerts, as in Attending."""

    def __init__(  # noqa: PLR0913 - all that it stands between, by name
        self,
        *,
        squad: str,
        supervisor: Address,
        bridge: Bridge,
        catalogue: Catalogue,
        intake: Intake,
        admission: Admission,
        reads: Reads,
        agents: frozenset[str],
        sizes: Mapping[str, tuple[int, int]],
        source: Path | None,
        schedules: Mapping[str, ScheduleConfig],
        rules: Collection[str] = (),
        sinks: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._squad = squad
        self._messages = Messages(bridge, intake, admission, reads.exists, self._must_be_open, clock)
        self._seeing = Seeing(squad, supervisor, bridge, catalogue, admission, reads.queue_depths, reads.pool)
        self._stored = Stored(reads.ask, self._seeing, clock)
        self._probing = Probing(squad, self._seeing, reads.counted)
        self._ordering = Ordering(supervisor, bridge, agents, sizes, source)
        self._planned = Planned(schedules, reads.keeper, bridge, admission, self._must_be_open, whole)
        self._steering = Steering(bridge, reads, intake, whole)
        self._explaining = Explaining(bridge, supervisor, reads.meant_for, reads.waiting, clock)
        self.holding = Holding(squad, catalogue.recipients, bridge, whole, spared=notifiers_of(sinks or {}))
        self._attending = Attending(squad, catalogue.recipients, rules, sinks or {}, bridge, whole)
        self._tidying = Tidying(bridge, whole)
        self._dashboard = Dashboard()
        self.closing = False  # set while the squad stops: nothing new is taken

    def app(self) -> Starlette:
        """What is served on the Unix socket: all of it."""
        inside = [*self._ordering.routes_inside(), *self._dashboard.routes()]
        return application(self.described([*self.probes(), *self.routes(), *inside]))

    def described(self, routes: list[Route]) -> list[Route]:
        """With the route that describes them."""
        return [*routes, *Description(self._squad).routes(routes)]

    def routes(self) -> list[Route]:
        """What can be served beyond it too."""
        parts = (
            self._messages,
            self._stored,
            self._seeing,
            self._ordering,
            self._planned,
            self._steering,
            self._tidying,
            self._explaining,
            self.holding,
            self._attending,
        )
        return [route for part in parts for route in part.routes()]

    def probes(self) -> list[Route]:
        """What other machines' watchers ask for."""
        return self._probing.routes()

    def serve_outside(self, doors: Doors) -> None:
        self._dashboard.doors = doors

    async def rows(self) -> list[dict[str, Any]]:
        """The actor tree's rows, with what the handlers are at. Raises SilenceError."""
        return await self._seeing.rows(brief=False)

    async def why(self, task_id: str) -> dict[str, Any]:
        """What ``/v1/messages/{id}/why`` answers. Raises SquadError."""
        return await self._explaining.document(task_id)

    async def schedules(self) -> list[dict[str, Any]]:
        """What ``/v1/schedules`` lists. Raises StoreError."""
        return await self._planned.listed()

    def _must_be_open(self) -> None:
        if self.closing:
            raise NotRunningError("the squad is stopping and takes no more messages", hint="squad start")
