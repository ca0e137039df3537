"""The gateway's routes for new messages, and for waiting until one has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad import trace
from squad.actors.gateway import endpoint, shapes
from squad.actors.gateway.admission import Admission
from squad.actors.gateway.answers import Answer, NotFoundError
from squad.actors.gateway.bodies import arriving, whole
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.catalogue import shown
from squad.actors.gateway.endpoint import Endpoint, read_query
from squad.actors.gateway.intake import Batch, Intake
from squad.actors.gateway.reading import is_id
from squad.actors.gateway.shapes import record
from squad.clock import Clock
from squad.store.rows import NewTask

_LONGEST_WAIT = 30 * 86400.0  # seconds
_DEFAULT_WAIT = 30.0

_WAIT = (
    endpoint.flag("tree", "1: until all that came of it has ended too."),
    endpoint.seconds("timeout", "How long to wait at most, in seconds.", _LONGEST_WAIT, _DEFAULT_WAIT),
)


class Messages:
    """``exists`` reads the database, on another thread; ``must_be_open`` raises when nothing more is taken."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it has in common with the other routes
        self,
        bridge: Bridge,
        intake: Intake,
        admission: Admission,
        exists: Callable[[str], bool],
        must_be_open: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._bridge = bridge
        self._intake = intake
        self._admission = admission
        self._exists = exists
        self._must_be_open = must_be_open
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Endpoint(
                "POST",
                "/v1/messages",
                self.send,
                "Send a message; the answer comes when it is stored. With an `id` of your own it can be repeated.",
                body=shapes.NEW_MESSAGE,
                answer=record({"id": shapes.TEXT, "duplicate": shapes.BOOL}),
                status=201,
            ),
            Endpoint(
                "POST",
                "/v1/messages/batch",
                self.send_batch,
                "Send many messages, one JSON object a line, each as for one; all are stored or none.",
                body={"type": "string"},
                body_type="application/x-ndjson",
                answer=record({"ids": shapes.many(shapes.TEXT)}),
                status=201,
            ),
            Endpoint(
                "GET",
                "/v1/messages/{id}/wait",
                self.wait,
                "Wait until a message has ended; `done` is false when the time is over before.",
                query=_WAIT,
                answer=record({"done": shapes.BOOL}),
            ),
        ]

    async def send(self, request: Request) -> Response:
        body = await whole(request, self._intake.max_request)
        self._must_be_open()
        row = _placed(self._intake.one(body, self._clock.time()), _trace_of(request))
        await self._admission.charge(1)
        (stored,) = await self._bridge.submit([row])
        return Answer({"id": stored.task_id, "duplicate": stored.duplicate}, 201)

    async def send_batch(self, request: Request) -> Response:
        batch = Batch(self._intake, self._clock.time())
        async with arriving(request) as pieces:
            async for piece in pieces:
                batch.feed(piece)
                await asyncio.sleep(0)  # others have their turn
        self._must_be_open()
        outside = _trace_of(request)
        rows = batch.finish() if outside is None else [_placed(row, outside) for row in batch.finish()]
        await self._admission.charge(len(rows))
        stored = await self._bridge.submit(rows)
        return Answer({"ids": [task_id for task_id, _ in stored]}, 201)

    async def wait(self, request: Request) -> Response:
        task_id = request.path_params["id"]
        asked = read_query(request, _WAIT)
        if not is_id(task_id) or not await asyncio.to_thread(self._exists, task_id):
            raise NotFoundError(f"there is no message with the id {shown(task_id)}", hint="squad message list")

        async def gone() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        return Answer({"done": await self._bridge.ended(task_id, asked["tree"], asked["timeout"], gone)})


def _trace_of(request: Request) -> str | None:
    """The caller's place in a trace. A header that is none is passed over, as W3C Trace Context wants it."""
    return trace.usable(request.headers.get("traceparent"))


def _placed(row: NewTask, traceparent: str | None) -> NewTask:
    """The message in the caller's trace, unless it names one itself."""
    return row if traceparent is None or row.traceparent is not None else row._replace(traceparent=traceparent)
