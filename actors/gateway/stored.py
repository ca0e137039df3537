"""The gateway's routes that read the database: what ``squad message``, ``dead``, ``events``, ``queue``, ``status``,
``metrics``, ``bottlenecks`` and ``alerts`` print, by the same functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad import convoys
from squad.actors.gateway import endpoint, shapes
from squad.actors.gateway.answers import Answer, NotFoundError
from squad.actors.gateway.endpoint import Endpoint, read_query
from squad.actors.gateway.seeing import Seeing
from squad.actors.gateway.shapes import many, record
from squad.clock import Clock
from squad.errors import UsageError
from squad.events import CATALOGUE
from squad.store import alerts, bottlenecks, history, queries, reports
from squad.store.documents import events_document, messages_document
from squad.store.metrics import report as metrics
from squad.store.queries import Filter

if TYPE_CHECKING:
    from peewee import Database


_MOST = 1000  # messages or events of one answer
_EFFECTS = 1000  # of a message
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
_BY = ("agent", "type")
_METRICS = (
    endpoint.texts("names", "Only these metrics, with commas between them: each with a row for every agent."),
    endpoint.text("agent", "Only of this agent or convoy."),
    endpoint.duration("window", "How far back: 30m, 6h, 7d.", "1h"),
    endpoint.choice("by", "A row for each agent, or each type of message.", _BY),
)
_BOTTLENECKS = (
    endpoint.choice("by", "Only percentiles: of each agent, or each type.", _BY),
    endpoint.moment("since", "Only what ended since; the last 24 hours unless given."),
    _LIMIT,
)
_ALERTS = (
    endpoint.flag("all", "Those that are over as well."),
    endpoint.number("limit", "Of those, how many at most.", 1, _MOST, 100),
)


class Stored:
    """``read`` asks the database, on the thread that calls it."""

    def __init__(self, read: Callable[[Callable[[Database], Any]], Any], seeing: Seeing, clock: Clock) -> None:
        self._read = read
        self._seeing = seeing
        self._clock = clock

    def routes(self) -> list[Route]:
        listed = record({"messages": many(shapes.MESSAGE), "next": shapes.WHOLE_OR_NULL})
        standing = record({"messages": shapes.by_name(shapes.WHOLE), **shapes.HOLDS})
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
                answer=shapes.CONVOY,
            ),
            Endpoint("GET", "/v1/metrics", self.metrics, "What was measured.", query=_METRICS, answer=shapes.METRICS),
            Endpoint(
                "GET",
                "/v1/bottlenecks",
                self.bottlenecks,
                "What is slow: which messages, agents and types.",
                query=_BOTTLENECKS,
                answer=shapes.BOTTLENECKS,
            ),
            Endpoint(
                "GET",
                "/v1/alerts",
                self.alerts,
                "What is wrong, what is silenced, and what could not be told to a sink.",
                query=_ALERTS,
                answer=shapes.ALERTS,
            ),
        ]

    async def messages(self, request: Request) -> Response:
        asked = read_query(request, _MESSAGES)
        limit, before = asked.pop("limit"), asked.pop("before")
        found = await self._ask(lambda database: queries.messages(database, Filter(**asked), limit, before))
        following = found[-1].row if len(found) == limit else None
        return Answer({**messages_document(found), "next": following})

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
        return Answer((await self._ask(lambda database: reports.dead(database, which, limit))).document())

    async def events(self, request: Request) -> Response:
        asked = read_query(request, _EVENTS)
        kinds = None if asked["kind"] is None else frozenset([asked["kind"]])
        wanted = history.Wanted(kinds, asked["agent"])
        found = await self._ask(lambda database: history.last(database, asked["limit"], wanted, asked["since"]))
        return Answer(events_document(found))

    async def queues(self, request: Request) -> Response:
        return Answer(await self._ask(reports.queues))

    async def status(self, request: Request) -> Response:
        return Answer({**await self._seeing.health_document(), **await self._ask(reports.standing)})

    async def convoy(self, request: Request) -> Response:
        name = request.path_params["name"]
        tree = await self._seeing.tree_document()
        resizes = await self._ask(lambda database: queries.resizes(database, name, convoys.RESIZES))
        try:
            return Answer(convoys.shown(tree, name, resizes))
        except UsageError as error:
            raise NotFoundError(error.message, hint=error.hint) from None

    async def metrics(self, request: Request) -> Response:
        asked, until = read_query(request, _METRICS), self._clock.time()
        names, since = asked.pop("names"), until - asked.pop("window")
        found = await self._ask(lambda database: metrics.read(database, names, since, until, **asked))
        return Answer(found.document())

    async def bottlenecks(self, request: Request) -> Response:
        asked, now = read_query(request, _BOTTLENECKS), self._clock.time()
        since = now - bottlenecks.DAY if asked["since"] is None else asked["since"]
        return Answer(
            await self._ask(lambda database: bottlenecks.report(database, asked["limit"], asked["by"], since, now))
        )

    async def alerts(self, request: Request) -> Response:
        asked, now = read_query(request, _ALERTS), self._clock.time()
        over = asked["limit"] if asked["all"] else 0
        return Answer((await self._ask(lambda database: alerts.report(database, now, over=over))).document())

    async def _ask(self, question: Callable[[Database], Any]) -> Any:
        return await asyncio.to_thread(self._read, question)
