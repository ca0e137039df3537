"""The gateway's route for maintenance that somebody wants now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import shapes
from squad.actors.gateway.answers import Answer
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.reading import read_fields
from squad.actors.protocol import Maintain, MaintainDone
from squad.errors import UsageError
from squad.store.times import iso

_MOST = 1024  # bytes of a request


class Tidying:
    """``body`` reads a request of at most so many bytes."""

    def __init__(self, bridge: Bridge, body: Callable[[Request, int], Awaitable[bytes]]) -> None:
        self._bridge = bridge
        self._body = body

    def routes(self) -> list[Route]:
        return [
            Endpoint(
                "POST",
                "/v1/maintenance",
                self.begin,
                "Have the database tidied now, or with `prune` only have what is old leave it.",
                body=shapes.order({"what": {"enum": ["run", "prune"]}}),
                answer=shapes.record({"began": shapes.TEXT, "already": shapes.BOOL}),
                status=202,
            )
        ]

    async def begin(self, request: Request) -> Response:
        """It goes on in the storage, and what comes of it is in the store. One that is under way is not begun again."""
        what = read_fields(await self._body(request, _MOST), ["what"]).get("what")
        if what not in ("run", "prune"):
            raise UsageError('what must be "run" or "prune"')
        done: MaintainDone = await self._bridge.ask_storage(lambda number: Maintain(number, what), again=True)
        if done.error is not None:
            raise done.error
        return Answer({"began": iso(done.began), "already": done.already}, 202)
