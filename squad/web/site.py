"""The pages as routes: each is a whole document at its address, and the live part of it as a stream under ``/live``.

A stream says nothing until what its page shows has changed. All who look at the same page share what is made for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from squad.errors import SquadError, UsageError
from squad.messages import did_you_mean
from squad.web import attention, charts, files
from squad.web.asked import Asked, MissingError
from squad.web.gate import Gate
from squad.web.pages import PAGES
from squad.web.pulse import Beat, Pulse, Reading

_MOST_STREAMS = 200
_SILENT = 15.0  # seconds after which a stream says that it is there, so that a browser which left is noticed
_LATEST = {"Cache-Control": "no-store"}
_LISTED = [page for page in PAGES if "{" not in page.path]
_LONGEST = 100  # characters of an address that are said again


class Page(Protocol):
    """One kind of page. ``every`` is the time in seconds between two looks for a stream."""

    path: str
    template: str
    title: str
    every: float

    async def read(self, asked: Asked) -> dict[str, Any]:
        """What the template needs. Raises MissingError, and UsageError for a query that cannot be meant."""


def routes(gate: Gate) -> list[BaseRoute]:
    """All pages, their streams, the charts' data, and the files that they load. None of them changes anything."""
    pulse = Pulse(gate)
    found: list[BaseRoute] = []
    for page in PAGES:
        shown = _Shown(page, gate, pulse)
        found.append(Route(page.path, shown.document, methods=["GET"]))
        found.append(Route(f"/live{page.path}", shown.stream, methods=["GET"]))
    found.append(Route("/login", _Login(gate).document, methods=["GET"]))
    found.append(Route("/series", _Series(gate).answer, methods=["GET"]))
    found.append(Route("/static/{name:path}", files.answer, methods=["GET"]))
    return found


class _Shown:
    """A page of this squad."""

    def __init__(self, page: Page, gate: Gate, pulse: Pulse) -> None:
        self._page = page
        self._gate = gate
        self._pulse = pulse

    async def document(self, request: Request) -> Response:
        from squad.web.rendering import page

        try:
            context = await self._context(request, await self._pulse.reading())
        except SquadError as error:
            return failed(self._gate, request, error)
        return HTMLResponse(page(self._page.template, context), headers=_LATEST)

    async def stream(self, request: Request) -> Response:
        if self._pulse.watching >= _MOST_STREAMS:
            return Response("too many browsers watch already", 503, {"Retry-After": "30"})
        return StreamingResponse(self._events(request), media_type="text/event-stream", headers=_LATEST)

    async def _events(self, request: Request) -> AsyncIterator[bytes]:
        key = f"{request.url.path}?{request.url.query}#{self._gate.may_write(request)}"
        last, looked, said = "", 0.0, time.monotonic()
        try:
            async with aclosing(self._pulse.beats()) as beats:
                async for beat in beats:
                    now = time.monotonic()
                    if now - looked < self._page.every * 0.9:
                        continue
                    looked = now
                    html = await beat.once(key, partial(self._fragment, request, beat))
                    if html != last:
                        last, said = html, now
                        yield "".join(f"data: {line}\n" for line in html.split("\n")).encode() + b"\n"
                    elif now - said > _SILENT:
                        said = now
                        yield b":\n\n"
        except SquadError:
            return  # what it shows is gone, or the database is away: the browser asks again, ever more seldom

    async def _fragment(self, request: Request, beat: Beat) -> str:
        from squad.web.rendering import fragment

        return fragment(self._page.template, await self._context(request, beat.reading))

    async def _context(self, request: Request, reading: Reading) -> dict[str, Any]:
        gate = self._gate
        asked = Asked(gate, reading, request.path_params, request.query_params)
        own = await self._page.read(asked)
        items = attention.items(reading.actors, reading.standing, reading.silent, reading.at)
        path = request.url.path.removeprefix("/live")
        query = f"?{request.url.query}" if request.url.query else ""
        return {
            "squad": gate.squad,
            "title": self._page.title,
            "here": path,
            "live": f"/live{path}{query}",
            "may_write": gate.may_write(request),
            "writable": gate.writable,
            "attention": items,
            "verdict": attention.verdict(reading.actors, reading.standing, items),
            "standing": reading.standing,
            "firing": sum(alert.acked_at is None for alert in reading.standing.firing),
            **own,
        }


class _Login:
    """Where a reader shows the token. It says nothing of the squad: who asks may not be allowed to read."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def document(self, request: Request) -> Response:
        from squad.web.rendering import page

        further = request.query_params.get("next", "/")
        context = {
            "squad": "squad",
            "title": "Token",
            "here": "/login",
            "next": further if further.startswith("/") and not further.startswith(("//", "/\\")) else "/",
            "wrong": "wrong" in request.query_params,
            "may_write": self._gate.may_write(request),
            "writable": self._gate.writable,
        }
        return HTMLResponse(page("login.html", context), headers=_LATEST)


class _Series:
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def answer(self, request: Request) -> Response:
        try:
            document = await asyncio.to_thread(charts.series, self._gate, dict(request.query_params))
        except SquadError as error:
            return JSONResponse({"error": error.message}, _status(error))
        return JSONResponse(document, headers=_LATEST)


def absent(gate: Gate, request: Request) -> Response:
    """A page that says that there is none at this address, and which there are."""
    path = request.url.path
    error = MissingError(
        f"there is no page at {path if len(path) <= _LONGEST else path[:_LONGEST] + '…'}",
        hint=did_you_mean(path, [page.path for page in _LISTED]),
    )
    return failed(gate, request, error)


def failed(gate: Gate, request: Request, error: SquadError) -> Response:
    """A page that says what is wrong."""
    from squad.web.rendering import page

    context = {
        "squad": gate.squad,
        "title": "Not found" if isinstance(error, MissingError) else "Not now",
        "here": request.url.path,
        "error": error,
        "pages": _LISTED if isinstance(error, MissingError) else (),
        "may_write": gate.may_write(request),
        "writable": gate.writable,
    }
    return HTMLResponse(page("failed.html", context), _status(error), _LATEST)


def _status(error: SquadError) -> int:
    return 404 if isinstance(error, MissingError) else 422 if isinstance(error, UsageError) else 503
