"""The gateway's routes for orders to the supervisor: restarts, the sizes of convoys, and a new configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import proposal, shapes
from squad.actors.gateway.answers import Answer, NotFoundError, not_found
from squad.actors.gateway.bodies import whole
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.reading import read_fields, read_object
from squad.actors.gateway.shapes import many, order, record
from squad.actors.protocol import Address, Reload, Reply, Resize, Restart
from squad.errors import UsageError

_RELOADED = record(
    {
        "done": shapes.BOOL,
        "start": many(shapes.TEXT),
        "stop": many(shapes.TEXT),
        "restart": many(record({"name": shapes.TEXT, "reason": shapes.TEXT})),
        "resize": many(record({"name": shapes.TEXT, "min": shapes.WHOLE, "max": shapes.WHOLE})),
        "change": many(shapes.TEXT),
    }
)
_LIMIT = 5.0  # seconds for the supervisor to take an order
_MOST = 64 * 1024  # bytes of a request


class Ordering:
    """``sizes``: each convoy's (min, max); ``agents``: the names that can be restarted; ``source``: the
    configuration's file."""

    def __init__(
        self,
        supervisor: Address,
        bridge: Bridge,
        agents: frozenset[str],
        sizes: Mapping[str, tuple[int, int]],
        source: Path | None,
    ) -> None:
        self._supervisor = supervisor
        self._bridge = bridge
        self._agents = agents
        self._sizes = sizes
        self._source = source

    def routes(self) -> list[Route]:
        return [
            Endpoint(
                "POST",
                "/v1/agents/{name}/restart",
                self.restart,
                "Restart an agent, or all workers of a convoy, and end its quarantine.",
                answer=record({"name": shapes.TEXT}),
            ),
            Endpoint(
                "POST",
                "/v1/convoys/{name}/resize",
                self.resize,
                'Pin a convoy to a size, or with "auto" give it back to the monitor.',
                body=order({"size": {"type": ["integer", "string"]}}),
                answer=record({"convoy": shapes.TEXT, "size": shapes.WHOLE, "pinned": shapes.BOOL}),
            ),
        ]

    def routes_inside(self) -> list[Route]:
        """What names files of this machine is taken from those who have them."""
        return [
            Endpoint(
                "POST",
                "/v1/reload",
                self.reload,
                "Take up the configuration as it is in its file now; with `dry_run` only say what that means.",
                body=order(optional={"path": shapes.TEXT, "dry_run": shapes.BOOL}),
                answer=_RELOADED,
            )
        ]

    async def restart(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name == "gateway":  # it will not be there to hear the answer
            await whole(request, _MOST)
            order = BackgroundTask(self._bridge.say, self._supervisor, Restart("", name))
            return Answer({"name": name}, background=order)
        if name not in self._agents and name.rpartition("-")[0] not in self._sizes:  # "checker-2", of "checker"
            raise not_found("agent", name, self._agents)
        await whole(request, _MOST)
        await self._order(lambda number: Restart(number, name))
        return Answer({"name": name})

    async def resize(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._sizes:
            raise not_found("convoy", name, self._sizes)
        size = _size(read_fields(await whole(request, _MOST), ["size"]), name, self._sizes[name])
        reason = "automatic again" if size is None else "set by hand"
        reply = await self._order(lambda number: Resize(name, size, reason, pin=True, request=number))
        return Answer({"convoy": name, "size": reply.detail["size"], "pinned": reply.detail["pinned"]})

    async def reload(self, request: Request) -> Response:
        path, dry_run = proposal.path_of(read_object(await whole(request, _MOST), lines=True), self._source)
        config, recipients = await asyncio.to_thread(proposal.read, path)
        reply = await self._order(lambda number: Reload(number, config, recipients, dry_run))
        return Answer({"done": not dry_run, **reply.detail})

    async def _order(self, message: Any) -> Reply:
        reply: Reply = await self._bridge.ask(self._supervisor, message, _LIMIT)
        if reply.error:
            raise NotFoundError(reply.error)
        return reply


def _size(body: dict[str, Any], convoy: str, bounds: tuple[int, int]) -> int | None:
    least, most = bounds
    size = body.get("size")
    if size == "auto":
        return None
    if type(size) is int and least <= size <= most:
        return size
    raise UsageError(
        f'size must be "auto" or a whole number from {least} to {most}',
        hint=f"min and max of {convoy} in the configuration set this",
    )
