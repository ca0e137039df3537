"""The gateway's HTTP interface: routes from JSON to the actors and back.

It knows the rest of the squad only through the Bridge, and the database only through Reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import overview, proposal
from squad.actors.gateway.admission import Admission
from squad.actors.gateway.answers import HANDLERS, Answer, NotFoundError
from squad.actors.gateway.bridge import Bridge, SilenceError
from squad.actors.gateway.catalogue import Catalogue, shown
from squad.actors.gateway.explaining import Explaining
from squad.actors.gateway.holding import Holding
from squad.actors.gateway.intake import MOST_BYTES, Batch, Intake
from squad.actors.gateway.planned import Planned
from squad.actors.gateway.reading import IntakeError, TooLargeError, is_id, read_object
from squad.actors.gateway.steering import Steering
from squad.actors.protocol import Address, Inspect, Reload, Reply, Resize, Restart, Tree
from squad.clock import SYSTEM, Clock
from squad.errors import NotRunningError, StoreError, UsageError
from squad.messages import did_you_mean
from squad.store.times import iso
from squad.store.waiting import Waiting

if TYPE_CHECKING:
    from squad.config.schedules import ScheduleConfig

_TREE_LIMIT = 2.0  # seconds for the supervisor's table; older rows are shown after that
_ORDER_LIMIT = 5.0  # seconds for it to take an order
_BODY_LIMIT = 60.0  # seconds for a request to arrive
_SMALL_BODY = 64 * 1024  # bytes of a request that is no message
_LONGEST_WAIT = 30 * 86400.0  # seconds
_DEFAULT_WAIT = 30.0


class Reads(Protocol):
    """What is read from the database, on another thread. All may raise StoreError."""

    def exists(self, task_id: str) -> bool: ...

    def meant_for(self, task_id: str) -> tuple[str, str] | None: ...

    def queue_depths(self) -> Mapping[str, int]: ...

    def pool(self) -> Mapping[str, int]:
        """How its connections are used. Does not wait."""

    def keeper(self) -> Mapping[str, str]: ...

    def waiting(self, task_id: str, now: float) -> Waiting: ...


@dataclass(slots=True)
class _Known:
    """The tree as it was when the supervisor last told it."""

    rows: list[dict[str, Any]]
    at: float  # monotonic
    taken_at: str


class Api:
    """See the module. ``sizes``: each convoy's (min, max); ``agents``: the names that can be restarted; ``source``: the
    configuration's file."""

    def __init__(  # noqa: PLR0913 - all that it stands between, by name
        self,
        *,
        squad: str,
        supervisor: Address,
        bridge: Bridge,
        catalogue: Catalogue,
        intake: Intake,
        admission: Admission,
        reads: Reads,
        agents: frozenset[str],
        sizes: Mapping[str, tuple[int, int]],
        source: Path | None,
        schedules: Mapping[str, ScheduleConfig],
        clock: Clock = SYSTEM,
    ) -> None:
        self._squad = squad
        self._supervisor = supervisor
        self._bridge = bridge
        self._catalogue = catalogue
        self._intake = intake
        self._admission = admission
        self._reads = reads
        self._agents = agents
        self._sizes = sizes
        self._source = source
        self._planned = Planned(schedules, reads.keeper, bridge, admission, self._must_be_open, _body)
        self._steering = Steering(bridge, reads, intake, _body)
        self._explaining = Explaining(bridge, supervisor, reads.meant_for, reads.waiting, clock)
        self.holding = Holding(squad, catalogue.recipients, bridge, _body)
        self._clock = clock
        self._known: _Known | None = None
        self.closing = False  # set while the squad stops: nothing new is taken

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/messages", self.send, methods=["POST"]),
                Route("/v1/messages/batch", self.send_batch, methods=["POST"]),
                Route("/v1/messages/{id}/wait", self.wait, methods=["GET"]),
                Route("/v1/health", self.health, methods=["GET"]),
                Route("/v1/tree", self.tree, methods=["GET"]),
                Route("/v1/types", self.types, methods=["GET"]),
                Route("/v1/store", self.store, methods=["GET"]),
                Route("/v1/convoys", self.convoys, methods=["GET"]),
                Route("/v1/agents/{name}/restart", self.restart, methods=["POST"]),
                Route("/v1/convoys/{name}/resize", self.resize, methods=["POST"]),
                Route("/v1/reload", self.reload, methods=["POST"]),
                *self._planned.routes(),
                *self._steering.routes(),
                *self._explaining.routes(),
                *self.holding.routes(),
            ],
            exception_handlers=HANDLERS,
        )

    # -- messages ---------------------------------------------------------------------------------------------------

    async def send(self, request: Request) -> Response:
        body = await _body(request, self._intake.max_request)
        self._must_be_open()
        row = self._intake.one(body, self._clock.time())
        await self._admission.charge(1)
        (stored,) = await self._bridge.submit([row])
        return Answer({"id": stored.task_id, "duplicate": stored.duplicate}, 201)

    async def send_batch(self, request: Request) -> Response:
        batch = Batch(self._intake, self._clock.time())
        async with _arriving(request) as pieces:
            async for piece in pieces:
                batch.feed(piece)
                await asyncio.sleep(0)  # others have their turn
        self._must_be_open()
        rows = batch.finish()
        await self._admission.charge(len(rows))
        stored = await self._bridge.submit(rows)
        return Answer({"ids": [task_id for task_id, _ in stored]}, 201)

    async def wait(self, request: Request) -> Response:
        task_id = request.path_params["id"]
        tree = _flag(request, "tree")
        timeout = _seconds(request, "timeout", _DEFAULT_WAIT)
        if not is_id(task_id) or not await asyncio.to_thread(self._reads.exists, task_id):
            raise NotFoundError(f"there is no message with the id {shown(task_id)}", hint="squad message list")

        async def gone() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        return Answer({"done": await self._bridge.ended(task_id, tree, timeout, gone)})

    # -- the squad --------------------------------------------------------------------------------------------------

    async def health(self, request: Request) -> Response:
        try:
            known = await self._ask_tree(brief=True)
        except SilenceError:
            pid = None if self._known is None else overview.health(self._squad, self._known.rows)["pid"]
            silent = {
                "squad": self._squad,
                "pid": pid,
                "ready": False,
                "frozen": None,
                "waiting_for": ["supervisor"],
                "failed": [],
            }
            return Answer(silent)
        return Answer(overview.health(self._squad, known.rows))

    async def tree(self, request: Request) -> Response:
        live = True
        try:
            known = await self._ask_tree()
        except SilenceError:
            if self._known is None:
                raise
            known, live = self._known, False
        rows = overview.aged(known.rows, 0.0 if live else time.monotonic() - known.at)
        depths = await self._depths()
        actors = overview.with_depths(rows, depths, self._admission.tokens)
        return Answer({"squad": self._squad, "live": live, "taken_at": known.taken_at, "actors": actors})

    async def types(self, request: Request) -> Response:
        return Answer({"types": self._catalogue.types()})

    async def store(self, request: Request) -> Response:
        return Answer({"pool": dict(self._reads.pool())})

    async def convoys(self, request: Request) -> Response:
        return Answer({"convoys": overview.convoys((await self._ask_tree()).rows)})

    async def restart(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name == "gateway":  # it will not be there to hear the answer
            await _body(request, _SMALL_BODY)
            order = BackgroundTask(self._bridge.say, self._supervisor, Restart("", name))
            return Answer({"name": name}, background=order)
        if name not in self._agents and name.rpartition("-")[0] not in self._sizes:  # "checker-2", of "checker"
            raise _unknown("agent", name, self._agents)
        await _body(request, _SMALL_BODY)
        await self._order(lambda number: Restart(number, name))
        return Answer({"name": name})

    async def resize(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._sizes:
            raise _unknown("convoy", name, self._sizes)
        size = _size(read_object(await _body(request, _SMALL_BODY), lines=True), name, self._sizes[name])
        reason = "automatic again" if size is None else "set by hand"
        reply = await self._order(lambda number: Resize(name, size, reason, pin=True, request=number))
        return Answer({"convoy": name, "size": reply.detail["size"], "pinned": reply.detail["pinned"]})

    async def reload(self, request: Request) -> Response:
        path, dry_run = proposal.path_of(read_object(await _body(request, _SMALL_BODY), lines=True), self._source)
        config, recipients = await asyncio.to_thread(proposal.read, path)
        reply = await self._order(lambda number: Reload(number, config, recipients, dry_run))
        return Answer({"done": not dry_run, **reply.detail})

    async def _order(self, message: Any) -> Reply:
        reply: Reply = await self._bridge.ask(self._supervisor, message, _ORDER_LIMIT)
        if reply.error:
            raise NotFoundError(reply.error)
        return reply

    async def _ask_tree(self, *, brief: bool = False) -> _Known:
        answer: Tree = await self._bridge.ask(self._supervisor, lambda number: Inspect(number, brief), _TREE_LIMIT)
        known = _Known(list(answer.rows), time.monotonic(), iso(time.time()))
        if self._known is None or not brief:
            self._known = known
        return known

    async def _depths(self) -> Mapping[str, int] | None:
        """Queued messages of each recipient; None when the database cannot say so in time."""
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_TREE_LIMIT):
                return await asyncio.to_thread(self._reads.queue_depths)
        return None

    def _must_be_open(self) -> None:
        if self.closing:
            raise NotRunningError("the squad is stopping and takes no more messages", hint="squad start")


# -- requests --------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _arriving(request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body in pieces.

    When the block refuses it half-way the rest is read and dropped: a client that is still writing would otherwise
    find its connection closed before it has read why.
    """
    pieces = request.stream()
    try:
        async with asyncio.timeout(_BODY_LIMIT):
            try:
                yield pieces
            except TooLargeError:
                dropped = 0
                async for piece in pieces:
                    dropped += len(piece)
                    if dropped > MOST_BYTES:
                        break
                raise
    except TimeoutError:
        raise IntakeError(f"the request did not arrive within {_BODY_LIMIT:g} s", status=400) from None


async def _body(request: Request, most: int) -> bytes:
    """The whole body, of at most so many bytes. Raises TooLargeError."""
    taken: list[bytes] = []
    size = 0
    async with _arriving(request) as pieces:
        async for piece in pieces:
            taken.append(piece)
            size += len(piece)
            if size > most:
                raise TooLargeError(f"the request is over {most:,} bytes")
    return b"".join(taken)


def _flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "0")
    if value not in ("0", "1"):
        raise UsageError(f"{name} must be 0 or 1, not {shown(value)}")
    return value == "1"


def _seconds(request: Request, name: str, default: float) -> float:
    value = request.query_params.get(name)
    if value is None:
        return default
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_WAIT:
        raise UsageError(f"{name} must be a number of seconds from 0 to {_LONGEST_WAIT:,.0f}, not {shown(value)}")
    return seconds


def _size(body: dict[str, Any], convoy: str, bounds: tuple[int, int]) -> int | None:
    least, most = bounds
    for name in sorted(body.keys() - {"size"}):
        raise UsageError(f"{shown(name)} is not a field of this request", hint=did_you_mean(name, ["size"]))
    size = body.get("size")
    if size == "auto":
        return None
    if type(size) is int and least <= size <= most:
        return size
    raise UsageError(
        f'size must be "auto" or a whole number from {least} to {most}',
        hint=f"min and max of {convoy} in the configuration set this",
    )


def _unknown(kind: str, name: str, known: Mapping[str, Any] | frozenset[str]) -> NotFoundError:
    hint = did_you_mean(name, sorted(known)) or f"there are: {', '.join(sorted(known)) or 'none'}"
    return NotFoundError(f"no {kind} is called {shown(name)}", hint=hint)
