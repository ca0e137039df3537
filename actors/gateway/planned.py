"""The gateway's routes about schedules: when each runs, and running one by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import shapes
from squad.actors.gateway.admission import Admission
from squad.actors.gateway.answers import Answer, not_found
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.reading import IntakeError, is_id, read_object
from squad.actors.scheduling.schedules import listing, task_by_hand

if TYPE_CHECKING:
    from squad.config.schedules import ScheduleConfig

_MOST = 1024  # bytes of a request: there is an id in it


class Planned:
    """``kept`` reads the keeper table, on another thread; ``must_be_open`` raises when nothing more is taken; ``body``
    reads a request of at most so many bytes."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it has in common with the other routes
        self,
        schedules: Mapping[str, ScheduleConfig],
        kept: Callable[[], Mapping[str, str]],
        bridge: Bridge,
        admission: Admission,
        must_be_open: Callable[[], None],
        body: Callable[[Request, int], Awaitable[bytes]],
    ) -> None:
        self._schedules = schedules
        self._kept = kept
        self._bridge = bridge
        self._admission = admission
        self._must_be_open = must_be_open
        self._body = body

    def routes(self) -> list[Route]:
        return [
            Endpoint(
                "GET",
                "/v1/schedules",
                self.show,
                "The schedules, and when each runs.",
                answer=shapes.record({"schedules": shapes.many(shapes.SCHEDULE)}),
            ),
            Endpoint(
                "POST",
                "/v1/schedules/{name}/run",
                self.run,
                "Send a schedule's message now; `id` is a new one for it.",
                body=shapes.record({"id": shapes.ID}),
                answer=shapes.record({"schedule": shapes.TEXT, "id": shapes.TEXT}),
                status=201,
            ),
        ]

    async def show(self, request: Request) -> Response:
        return Answer({"schedules": await self.listed()})

    async def listed(self) -> list[dict[str, Any]]:
        """Each of them, and when it runs."""
        return await asyncio.to_thread(lambda: listing(self._schedules, self._kept(), time.time()))

    async def run(self, request: Request) -> Response:
        """With the message's id, so that a request which is repeated is stored once."""
        name = request.path_params["name"]
        task_id = read_object(await self._body(request, _MOST), lines=True).get("id")
        if not isinstance(task_id, str) or not is_id(task_id):
            raise IntakeError('the request must be {"id": "…"}, with a new UUID in lower case')
        if name not in self._schedules:
            raise not_found("schedule", name, self._schedules)
        self._must_be_open()
        await self._admission.charge(1)
        await self._bridge.submit([task_by_hand(task_id, name, self._schedules[name])])
        return Answer({"schedule": name, "id": task_id}, 201)
