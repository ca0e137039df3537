"""The gateway's route by which somebody who may use its socket has the dashboard served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import shapes
from squad.actors.gateway.answers import Answer
from squad.actors.gateway.bodies import whole
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.reading import read_object
from squad.actors.gateway.shapes import order, record
from squad.errors import SquadError, UsageError

if TYPE_CHECKING:
    from squad.actors.gateway.doors import Doors

_MOST = 1024  # bytes of a request


class Dashboard:
    """``doors`` is None while nothing can be served beyond the socket: in a test's process."""

    doors: Doors | None = None

    def routes(self) -> list[Route]:
        return [
            Endpoint(
                "POST",
                "/v1/dashboard",
                self.open,
                "Have the dashboard served on loopback.",
                body=order(),
                answer=record({"url": shapes.TEXT, "writable": shapes.BOOL}),
            )
        ]

    async def open(self, request: Request) -> Response:
        """Where it is served, from now on if it was not yet."""
        if read_object(await whole(request, _MOST), lines=True):
            raise UsageError("this request takes {}, and no field")
        if self.doors is None:
            raise SquadError("no dashboard can be served here")
        opened = self.doors.open_dashboard()
        return Answer({"url": opened.url, "writable": opened.writable})
