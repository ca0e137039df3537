"""What the gateway serves beyond its Unix socket: the dashboard with ``/v1`` for its pages, or the metrics alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from squad.actors.gateway.answers import of_http_error
from squad.actors.gateway.api import Api, application
from squad.actors.gateway.doors import Name
from squad.actors.gateway.guard import asked, wants_page
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
        return self._dashboard(policy) if name == "dashboard" else application(self._api.probes())

    def _dashboard(self, policy: Policy) -> Starlette:
        from squad.web import Gate, absent, routes

        def may_write(request: Request) -> bool:
            return policy.may_write(asked(request))

        gate = Gate(
            squad=self._config.name,
            home=self._home,
            config=self._config,
            pool=self._pool,
            clock=self._clock,
            rows=self._api.rows,
            why=self._api.why,
            schedules=self._api.schedules,
            may_write=may_write,
            writable=policy.token is not None,
        )
        api = self._api.described([*self._api.probes(), *self._api.routes()])
        made = application([*api, *Signing(policy).routes(), *routes(gate)])

        def nowhere(request: Request, error: Exception) -> Response:
            """People are told by a page, programs by JSON."""
            return absent(gate, request) if wants_page(request) else of_http_error(request, error)

        made.add_exception_handler(HTTPException, nowhere)
        return made
