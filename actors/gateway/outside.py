"""What the gateway serves beyond its Unix socket: the dashboard with ``/v1`` for its pages, or the metrics alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute

from squad.actors.gateway.api import Api, application
from squad.actors.gateway.doors import Name
from squad.actors.gateway.guard import asked
from squad.actors.gateway.guarding import Policy
from squad.actors.gateway.signing import Signing
from squad.clock import Clock

if TYPE_CHECKING:
    from squad.config.schema import SquadConfig
    from squad.store.database import Pool


class Outside:
    """``pool`` reads the database. The pages are imported when a dashboard is first served."""

    def __init__(self, api: Api, home: Path, config: SquadConfig, pool: Pool, clock: Clock) -> None:
        self._api = api
        self._home = home
        self._config = config
        self._pool = pool
        self._clock = clock

    def make(self, name: Name, policy: Policy) -> Starlette:
        routes: list[BaseRoute] = list(self._api.probes())
        if name == "dashboard":
            routes = [*self._api.described([*self._api.probes(), *self._api.routes()])]
            routes += [*Signing(policy).routes(), *self._pages(policy)]
        return application(routes)

    def _pages(self, policy: Policy) -> list[BaseRoute]:
        from squad.web import Gate, routes

        def may_write(request: Request) -> bool:
            return policy.may_write(asked(request))

        return routes(
            Gate(
                squad=self._config.name,
                home=self._home,
                config=self._config,
                pool=self._pool,
                clock=self._clock,
                rows=self._api.rows,
                why=self._api.why,
                may_write=may_write,
                writable=policy.token is not None,
            )
        )
