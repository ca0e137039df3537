"""The gateway's routes that read the database: what ``squad message``, ``dead``, ``events``, ``queue`` and ``status``
print, by the same functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import endpoint, shapes
from squad.actors.gateway.answers import Answer, NotFoundError
from squad.actors.gateway.endpoint import Endpoint, read_query
from squad.actors.gateway.seeing import Seeing
from squad.actors.gateway.shapes import many, record
from squad.errors import UsageError
from squad.events import CATALOGUE
from squad.store import choices, history, queries, reports
from squad.store.documents import event_document, message_document, resize_document
from squad.store.queries import Filter

if TYPE_CHECKING:
    from peewee import Database


_MOST = 1000  # messages or events of one answer
_EFFECTS = 1000  # of a message
_RESIZES = 100
_ROW = 2**62

_LIMIT = endpoint.number("limit", "How many at most.", 1, _MOST, 100)
_AGENT = endpoint.text("agent", "Only messages to this agent or convoy.")
_TYPE = endpoint.text("type", "Only messages of this type.")
_MESSAGES = (
    _AGENT,
    _TYPE,
    endpoint.choice("status", "Only those with this status.", reports.STATUSES),
    endpoint.text("sender", "Only those from this sender."),
    endpoint.moment("since", "Only those that were stored since."),
    endpoint.number("before", "Go on with what was `next` of the last answer.", 0, _ROW),
    _LIMIT,
)
_DEAD = (
    _AGENT,
    _TYPE,
    endpoint.moment("since", "Only those that died since."),
    endpoint.text("error", "Only those with this in their error."),
    _LIMIT,
)
_EVENTS = (
    endpoint.text("agent", "Only of this agent or convoy, and of messages to it."),
    endpoint.choice("kind", "Only of this kind.", tuple(CATALOGUE)),
    endpoint.moment("since", "Only what happened since."),
    _LIMIT,
)


class Stored:
    """``read`` asks the database, on the thread that calls it."""

    def __init__(self, read: Callable[[Callable[[Database], Any]], Any], seeing: Seeing) -> None:
        self._read = read
        self._seeing = seeing

    def routes(self) -> list[Route]:
        listed = record({"messages": many(shapes.MESSAGE), "next": shapes.WHOLE_OR_NULL})
        standing = record({"messages": shapes.by_name(shapes.WHOLE), **shapes.HOLDS})
        convoy = record(
            {"convoy": shapes.ACTOR, "workers": many(shapes.ACTOR), "resizes": many(shapes.RESIZE), "live": shapes.BOOL}
        )
        return [
            Endpoint(
                "GET", "/v1/messages", self.messages, "Messages, the newest first.", query=_MESSAGES, answer=listed
            ),
            Endpoint(
                "GET",
                "/v1/messages/{id}",
                self.message,
                "One message's whole life. Of the id its beginning or its end is enough.",
                answer=shapes.LIFE,
            ),
            Endpoint(
                "GET",
                "/v1/dead",
                self.dead,
                "Dead letters, the newest messages first; `total` is how many fit.",
                query=_DEAD,
                answer=record({"dead": many(shapes.MESSAGE), "total": shapes.WHOLE}),
            ),
            Endpoint(
                "GET",
                "/v1/events",
                self.events,
                "The last events, the oldest of them first.",
                query=_EVENTS,
                answer=record({"events": many(shapes.EVENT)}),
            ),
            Endpoint(
                "GET",
                "/v1/queues",
                self.queues,
                "How many messages wait for whom.",
                answer=record({"agents": many(shapes.QUEUE), **shapes.HOLDS}),
            ),
            Endpoint(
                "GET",
                "/v1/status",
                self.status,
                "Whether the squad is ready, how many messages have each status, and what is on hold.",
                answer=record({**shapes.HEALTH["properties"], **standing["properties"]}),
            ),
            Endpoint(
                "GET",
                "/v1/convoys/{name}",
                self.convoy,
                "A convoy, its workers, and the last changes of its size.",
                answer=convoy,
            ),
        ]

    async def messages(self, request: Request) -> Response:
        asked = read_query(request, _MESSAGES)
        limit, before = asked.pop("limit"), asked.pop("before")
        found = await self._ask(lambda database: queries.messages(database, Filter(**asked), limit, before))
        following = found[-1].row if len(found) == limit else None
        return Answer({"messages": [message_document(row) for row in found], "next": following})

    async def message(self, request: Request) -> Response:
        try:
            life = await self._ask(lambda database: reports.life(database, request.path_params["id"], _EFFECTS))
        except UsageError as error:
            raise NotFoundError(error.message, hint=error.hint) from None
        return Answer(life.document())

    async def dead(self, request: Request) -> Response:
        asked = read_query(request, _DEAD)
        limit = asked.pop("limit")
        which = Filter(status="failed", ended_since=asked.pop("since"), **asked)
        found, total = await self._ask(
            lambda database: (queries.messages(database, which, limit), choices.count(database, which))
        )
        return Answer({"dead": [message_document(row) for row in found], "total": total})

    async def events(self, request: Request) -> Response:
        asked = read_query(request, _EVENTS)
        kinds = None if asked["kind"] is None else frozenset([asked["kind"]])
        wanted = history.Wanted(kinds, asked["agent"])
        found = await self._ask(lambda database: history.last(database, asked["limit"], wanted, asked["since"]))
        return Answer({"events": [event_document(happening) for happening in found]})

    async def queues(self, request: Request) -> Response:
        return Answer(await self._ask(reports.queues))

    async def status(self, request: Request) -> Response:
        return Answer({**await self._seeing.health_document(), **await self._ask(reports.standing)})

    async def convoy(self, request: Request) -> Response:
        name = request.path_params["name"]
        tree = await self._seeing.tree_document()
        found = next((row for row in tree["actors"] if row["kind"] == "convoy" and row["name"] == name), None)
        if found is None:
            raise NotFoundError("there is no convoy of that name", hint="GET /v1/convoys lists them")
        resizes = await self._ask(lambda database: queries.resizes(database, name, _RESIZES))
        return Answer(
            {
                "live": tree["live"],
                "convoy": found,
                "workers": [row for row in tree["actors"] if row["parent"] == name],
                "resizes": [resize_document(row) for row in resizes],
            }
        )

    async def _ask(self, question: Callable[[Database], Any]) -> Any:
        return await asyncio.to_thread(self._read, question)
