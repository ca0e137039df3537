"""The gateway's routes for how the squad is now, as the supervisor tells it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad import convoys
from squad.actors.gateway import overview, shapes
from squad.actors.gateway.admission import Admission
from squad.actors.gateway.answers import Answer
from squad.actors.gateway.bridge import Bridge, SilenceError
from squad.actors.gateway.catalogue import Catalogue
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.shapes import many, record
from squad.actors.protocol import Address, Inspect, Tree
from squad.errors import StoreError
from squad.store.times import iso

_TYPE = record({"name": shapes.TEXT, "schema": shapes.OBJECT, "handled_by": many(shapes.TEXT)})
_LIMIT = 2.0  # seconds for the supervisor's table; older rows are shown after that


@dataclass(slots=True)
class _Known:
    """The tree as it was when the supervisor last told it."""

    rows: list[dict[str, Any]]
    at: float  # monotonic
    taken_at: str


class Seeing:
    """``depths`` (queued messages of each recipient) reads the database, on another thread; ``pool`` says how its
    connections are used."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that it puts together
        self,
        squad: str,
        supervisor: Address,
        bridge: Bridge,
        catalogue: Catalogue,
        admission: Admission,
        depths: Callable[[], Mapping[str, int]],
        pool: Callable[[], Mapping[str, int]],
    ) -> None:
        self._squad = squad
        self._supervisor = supervisor
        self._bridge = bridge
        self._catalogue = catalogue
        self._admission = admission
        self._depths = depths
        self._pool = pool
        self._known: _Known | None = None

    def routes(self) -> list[Route]:
        return [
            Endpoint("GET", "/v1/health", self.health, "Whether all that should run does.", answer=shapes.HEALTH),
            Endpoint("GET", "/v1/tree", self.tree, "The actor tree now.", answer=shapes.TREE),
            Endpoint(
                "GET",
                "/v1/types",
                self.types,
                "The message types that this squad handles.",
                answer=record({"types": many(_TYPE)}),
            ),
            Endpoint(
                "GET",
                "/v1/store",
                self.store,
                "How the connections to the database are used.",
                answer=record({"pool": shapes.by_name(shapes.WHOLE)}),
            ),
            Endpoint("GET", "/v1/convoys", self.convoys, "The convoys.", answer=shapes.CONVOYS),
        ]

    async def health(self, request: Request) -> Response:
        return Answer(await self.health_document())

    async def tree(self, request: Request) -> Response:
        return Answer(await self.tree_document())

    async def types(self, request: Request) -> Response:
        return Answer({"types": self._catalogue.types()})

    async def store(self, request: Request) -> Response:
        return Answer({"pool": dict(self._pool())})

    async def convoys(self, request: Request) -> Response:
        return Answer(convoys.listed(await self.tree_document()))

    async def health_document(self) -> dict[str, Any]:
        """Whether all that should run does, and who does not. Never raises: a silent supervisor is an answer too."""
        try:
            known = await self._ask(brief=True)
        except SilenceError:
            pid = None if self._known is None else overview.health(self._squad, self._known.rows)["pid"]
            return {
                "squad": self._squad,
                "pid": pid,
                "ready": False,
                "frozen": None,
                "waiting_for": ["supervisor"],
                "failed": [],
            }
        return overview.health(self._squad, known.rows)

    async def tree_document(self) -> dict[str, Any]:
        """The actor tree; as it was told last, when the supervisor is silent. Raises SilenceError if that was never."""
        live = True
        try:
            known = await self._ask()
        except SilenceError:
            if self._known is None:
                raise
            known, live = self._known, False
        rows = overview.aged(known.rows, 0.0 if live else time.monotonic() - known.at)
        actors = overview.with_depths(rows, await self._read_depths(), self._admission.tokens)
        return {"squad": self._squad, "live": live, "taken_at": known.taken_at, "actors": actors}

    async def rows(self, *, brief: bool = True) -> list[dict[str, Any]]:
        """The tree's rows now, without what only the database knows. Raises SilenceError.

        ``brief``: also without what the handlers are at.
        """
        return (await self._ask(brief=brief)).rows

    async def _ask(self, *, brief: bool = False) -> _Known:
        answer: Tree = await self._bridge.ask(self._supervisor, lambda number: Inspect(number, brief), _LIMIT)
        known = _Known(list(answer.rows), time.monotonic(), iso(time.time()))
        if self._known is None or not brief:
            self._known = known
        return known

    async def _read_depths(self) -> Mapping[str, int] | None:
        """None when the database cannot say so in time."""
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_LIMIT):
                return await asyncio.to_thread(self._depths)
        return None
