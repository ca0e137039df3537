"""The routes that other programs ask again and again: is it alive, is it ready, and what are its metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import shapes
from squad.actors.gateway.answers import Answer
from squad.actors.gateway.bridge import SilenceError
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.overview import is_ready
from squad.actors.gateway.seeing import Seeing

if TYPE_CHECKING:
    from squad.store.metrics import Series

Counted = tuple[Mapping[str, int], Mapping[str, int], "Sequence[Series]"]
"""Waiting messages by recipient, messages by status, and the series."""


class Probing:
    """``counted`` reads the database, on another thread."""

    def __init__(self, squad: str, seeing: Seeing, counted: Callable[[], Counted]) -> None:
        self._squad = squad
        self._seeing = seeing
        self._counted = counted
        self._scraping: dict[str, asyncio.Task[tuple[bytes, str]]] = {}

    def routes(self) -> list[Route]:
        return [
            Endpoint("GET", "/healthz", self.alive, "That it is alive.", answer=shapes.record({"alive": shapes.BOOL})),
            Endpoint(
                "GET",
                "/readyz",
                self.ready,
                "Whether all that should run does.",
                answer=shapes.HEALTH,
                also={503: "It does not: `waiting_for` and `failed` name who."},
            ),
            Endpoint("GET", "/metrics", self.metrics, "The metrics, for Prometheus.", answer="text/plain"),
        ]

    async def alive(self, request: Request) -> Response:
        """That there is an answer is the answer."""
        return Answer({"alive": True})

    async def ready(self, request: Request) -> Response:
        document = await self._seeing.health_document()
        return Answer(document, 200 if document["ready"] else 503)

    async def metrics(self, request: Request) -> Response:
        """Those who ask while one answer is made have the same one."""
        accept = request.headers.get("accept", "")
        scrape = self._scraping.get(accept)
        if scrape is None:
            scrape = asyncio.create_task(self._scrape(accept))
            self._scraping[accept] = scrape
            scrape.add_done_callback(lambda ended: self._scraped(accept, ended))
        content, kind = await asyncio.shield(scrape)
        return Response(content, headers={"Content-Type": kind})

    def _scraped(self, accept: str, ended: asyncio.Task[tuple[bytes, str]]) -> None:
        """Its error is raised for those who wait; when all have left meanwhile, nobody needs to know of it."""
        del self._scraping[accept]
        if not ended.cancelled():
            ended.exception()

    async def _scrape(self, accept: str) -> tuple[bytes, str]:
        """Away from the event loop, which others wait for."""
        try:
            rows: list[dict[str, Any]] = await self._seeing.rows()
        except SilenceError:
            rows = []

        def made() -> tuple[bytes, str]:
            from squad.actors.gateway.exposition import State, text

            depths, totals, series = self._counted()
            return text(State(self._squad, is_ready(rows), rows, depths, totals, series), accept)

        return await asyncio.to_thread(made)
