"""The gateway's routes for messages that are there already: cancelling them, and the desk for dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import shapes
from squad.actors.gateway.answers import Answer, NotFoundError
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.catalogue import shown
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.intake import Intake
from squad.actors.gateway.reading import is_id, must_be_known, read_fields
from squad.actors.gateway.shapes import order, record
from squad.actors.protocol import Cancel, Cancelled, Desk, DeskDone
from squad.errors import UsageError
from squad.moments import parse_moment
from squad.store.rows import DeadFilter

_SMALL = 1024  # bytes of a request to cancel
_LARGE = 8 * 1024 * 1024  # bytes of a request that names dead letters
_FILTERS = ("agent", "type", "since", "error")
_LONGEST = 1000  # characters of a text in a filter


class Stored(Protocol):
    """What is read from the database, on another thread. May raise StoreError."""

    def meant_for(self, task_id: str) -> tuple[str, str] | None:
        """Recipient and type of a message; None when there is none with this id."""


class Steering:
    """``body`` reads a request of at most so many bytes."""

    def __init__(
        self, bridge: Bridge, stored: Stored, intake: Intake, body: Callable[[Request, int], Awaitable[bytes]]
    ) -> None:
        self._bridge = bridge
        self._stored = stored
        self._intake = intake
        self._body = body

    def routes(self) -> list[Route]:
        return [
            Endpoint(
                "POST",
                "/v1/messages/{id}/cancel",
                self.cancel,
                "Cancel a message; with `tree` also all that came of it.",
                body=order(optional={"tree": shapes.BOOL}),
                answer=record({"cancelled": shapes.WHOLE, "running": shapes.WHOLE}),
            ),
            Endpoint(
                "POST",
                "/v1/dead/retry",
                self.retry,
                "Put dead letters back into their queues, all or none: those of `ids`, or those that a `filter` fits.",
                body=shapes.WHICH_DEAD,
                answer=shapes.DONE_DEAD,
            ),
            Endpoint(
                "POST",
                "/v1/dead/drop",
                self.drop,
                "Delete dead letters, likewise.",
                body=shapes.WHICH_DEAD,
                answer=shapes.DONE_DEAD,
            ),
            Endpoint(
                "PUT",
                "/v1/dead/{id}",
                self.edit,
                "Give a dead letter another payload.",
                body=order({"payload": shapes.OBJECT}),
                answer=record({"id": shapes.TEXT}),
            ),
        ]

    async def cancel(self, request: Request) -> Response:
        task_id = request.path_params["id"]
        asked = read_fields(await self._body(request, _SMALL), ("tree",))
        tree = _flag(asked, "tree")
        await self._meant_for(task_id)
        # Said again to a storage that is started anew: a second time does no harm.
        done: Cancelled = await self._bridge.ask_storage(lambda number: Cancel(number, task_id, tree), again=True)
        if done.error is not None:
            raise done.error
        return Answer({"cancelled": done.cancelled, "running": done.running})

    async def retry(self, request: Request) -> Response:
        return await self._desk(request, "replay")

    async def drop(self, request: Request) -> Response:
        return await self._desk(request, "drop")

    async def _desk(self, request: Request, action: Any) -> Response:
        asked = read_fields(await self._body(request, _LARGE), ("ids", "filter", "dry_run"))
        which, dry_run = _which(asked), _flag(asked, "dry_run")
        done = await self._carry_out(lambda number: Desk(number, action, which, dry_run=dry_run))
        return Answer({"count": len(done.ids), "ids": list(done.ids)})

    async def edit(self, request: Request) -> Response:
        task_id = request.path_params["id"]
        asked = read_fields(await self._body(request, self._intake.max_request), ("payload",))
        recipient, type_name = await self._meant_for(task_id)
        payload = asked.get("payload")
        if not isinstance(payload, dict):
            raise UsageError('the request must be {"payload": {…}}')
        text = self._intake.payload(recipient, type_name, payload)
        await self._carry_out(lambda number: Desk(number, "edit", (task_id,), text))
        return Answer({"id": task_id})

    async def _carry_out(self, message: Callable[[str], Desk]) -> DeskDone:
        """Not said twice: what was done once cannot be done again, and would look like a mistake."""
        done: DeskDone = await self._bridge.ask_storage(message, again=False)
        if done.error is not None:
            raise done.error
        return done

    async def _meant_for(self, task_id: str) -> tuple[str, str]:
        found = await asyncio.to_thread(self._stored.meant_for, task_id) if is_id(task_id) else None
        if found is None:
            raise NotFoundError(f"there is no message with the id {shown(task_id)}", hint="squad message list")
        return found


def _flag(asked: Mapping[str, Any], name: str) -> bool:
    value = asked.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be true or false")
    return value


def _which(asked: Mapping[str, Any]) -> tuple[str, ...] | DeadFilter:
    """The dead letters that a request names: by ``ids`` or by a ``filter``, of which {} means all."""
    if ("ids" in asked) == ("filter" in asked):
        raise UsageError('the request must name dead letters by {"ids": […]} or by {"filter": {…}}')
    if "ids" in asked:
        ids = asked["ids"]
        if not isinstance(ids, list) or not ids or not all(isinstance(one, str) and is_id(one) for one in ids):
            raise UsageError("ids must be a list of messages' ids, each a UUID in lower case")
        return tuple(ids)
    given = asked["filter"]
    if not isinstance(given, dict):
        raise UsageError("filter must be an object")
    must_be_known(given, _FILTERS)
    for name in ("agent", "type", "error"):
        text = given.get(name, "-")
        if not isinstance(text, str) or not 0 < len(text) <= _LONGEST or not text.isprintable():
            raise UsageError(f"{name} must be 1 to {_LONGEST:,} printable characters")
    since = given.get("since")
    try:
        at = None if since is None else parse_moment(since)
    except ValueError as error:
        raise UsageError(f"since: {error}") from None
    return DeadFilter(given.get("agent"), given.get("type"), at, given.get("error"))
