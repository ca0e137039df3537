"""The gateway's route for why a message waits: the supervisor and the workers are asked, then the database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import shapes
from squad.actors.gateway.answers import Answer, NotFoundError
from squad.actors.gateway.bridge import Bridge, SilenceError
from squad.actors.gateway.catalogue import shown
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.reading import is_id
from squad.actors.protocol import Address, Ask, Doing, Explain, Explained, Hold
from squad.actors.why import document as why
from squad.actors.why.reasons import Facts
from squad.clock import Clock
from squad.store.waiting import Waiting

_SUPERVISOR = 2.0  # seconds for its answer
_STORAGE = 2.0  # seconds for a transaction of the storage
_WORKER = 1.0  # seconds for a worker's: its loop is free while its handler works, so the rest are hung


class Explaining:
    """``recipient`` and ``look`` read the database, on another thread: whom a message is for (None: there is none with
    this id), and how it stands at a time."""

    def __init__(
        self,
        bridge: Bridge,
        supervisor: Address,
        recipient: Callable[[str], tuple[str, str] | None],
        look: Callable[[str, float], Waiting],
        clock: Clock,
    ) -> None:
        self._bridge = bridge
        self._supervisor = supervisor
        self._recipient = recipient
        self._look = look
        self._clock = clock

    def routes(self) -> list[Route]:
        return [Endpoint("GET", "/v1/messages/{id}/why", self.why, "Why a message has not ended.", answer=shapes.WHY)]

    async def why(self, request: Request) -> Response:
        return Answer(await self.document(request.path_params["id"]))

    async def document(self, task_id: str) -> dict[str, Any]:
        """The database comes last: what has moved on meanwhile has then moved on in the answer too.

        Raises NotFoundError, StoreError.
        """
        meant = await asyncio.to_thread(self._recipient, task_id) if is_id(task_id) else None
        if meant is None:
            raise NotFoundError(f"there is no message with the id {shown(task_id)}", hint="squad message list")
        try:
            explained: Explained = await self._bridge.ask(
                self._supervisor, lambda number: Explain(number, meant[0]), _SUPERVISOR
            )
            doing, silent = await asyncio.gather(self._ask_workers(explained.about), self._storage_is_silent())
            storage = {
                **explained.about["storage"],
                "silent": silent and explained.about["storage"]["state"] == "ready",
            }
            about: dict[str, Any] | None = {**explained.about, "storage": storage}
            down = ("", "")
        except SilenceError:
            about, down, doing = None, ("the supervisor does not answer", "squad inspect"), {}
        found = await asyncio.to_thread(self._look, task_id, self._clock.time())
        facts = Facts(self._clock.time(), found, about, doing, down)
        return {**why.document(facts), "result": _value(found.result)}

    async def _storage_is_silent(self) -> bool:
        try:
            async with asyncio.timeout(_STORAGE):
                await self._bridge.ask_storage(lambda number: Hold(number, "look", ()), again=True)
        except (TimeoutError, SilenceError):
            return True
        return False

    async def _ask_workers(self, about: Mapping[str, Any]) -> dict[str, Doing]:
        """What each worker says that it is at, of those that answer."""

        async def ask(worker: str) -> tuple[str, Doing] | None:
            try:
                doing = await self._bridge.ask(self._supervisor, lambda number: Ask(number, worker), _WORKER)
            except SilenceError:
                return None
            return worker, doing

        answers = await asyncio.gather(*(ask(worker) for worker in why.running_workers(about)))
        return dict(answer for answer in answers if answer is not None)


def _value(text: str | None) -> Any:
    """Of JSON text; the text itself if somebody has put something else there."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
