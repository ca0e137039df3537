"""The gateway's routes for what people put on hold: pausing agents, and freezing the whole squad."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import shapes
from squad.actors.gateway.answers import Answer, NotFoundError
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.catalogue import shown
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.reading import read_fields, read_line
from squad.actors.gateway.shapes import many, order, record
from squad.actors.protocol import Hold, HoldDone
from squad.errors import Problem, UsageError
from squad.messages import did_you_mean
from squad.store.holds import Holds
from squad.store.times import iso

_NAMED: shapes.Schema = {"names": many(shapes.TEXT), "by": shapes.TEXT}
_MOST = 64 * 1024  # bytes of a request
_GRACE = 5.0  # seconds, unless the request says otherwise
_LONGEST_GRACE = 86_400.0  # seconds

Action = Literal["pause", "resume", "freeze", "thaw"]


class Holding:
    """``recipients``: all agents and convoys; ``spared``: those that are only paused by name; ``body`` reads a request
    of at most so many bytes.

    ``holds`` is what is on hold, as the supervisor has told it last.
    """

    def __init__(
        self,
        squad: str,
        recipients: Collection[str],
        bridge: Bridge,
        body: Callable[[Request, int], Awaitable[bytes]],
        spared: Collection[str] = (),
    ) -> None:
        self.holds = Holds()
        self._spared = spared
        self._squad = squad
        self._recipients = recipients
        self._bridge = bridge
        self._body = body

    def routes(self) -> list[Route]:
        return [
            Endpoint("GET", "/v1/holds", self.show, "What is on hold.", answer=record(shapes.HOLDS)),
            Endpoint(
                "POST",
                "/v1/pause",
                self.pause,
                "Give these agents and convoys (none named: all) no new message.",
                body=order(optional={**_NAMED, "reason": shapes.TEXT}),
                answer=record({"paused": many(shapes.TEXT), "already": many(shapes.TEXT)}),
            ),
            Endpoint(
                "POST",
                "/v1/resume",
                self.resume,
                "End these pauses (none named: all).",
                body=order(optional=_NAMED),
                answer=record({"resumed": many(shapes.TEXT), "already": many(shapes.TEXT)}),
            ),
            Endpoint(
                "POST",
                "/v1/freeze",
                self.freeze,
                "Stop all handling; what runs has `grace` seconds to end, with null as long as it needs.",
                body=order(optional={"grace": shapes.NUMBER_OR_NULL, "by": shapes.TEXT, "reason": shapes.TEXT}),
                answer=record({"frozen": shapes.HELD, "already": shapes.BOOL, "until": shapes.TEXT_OR_NULL}),
            ),
            Endpoint(
                "POST",
                "/v1/thaw",
                self.thaw,
                "Let a frozen squad go on.",
                body=order(optional={"by": shapes.TEXT}),
                answer=record({"thawed": shapes.BOOL}),
            ),
        ]

    async def show(self, request: Request) -> Response:
        return Answer(self.holds.document())

    async def pause(self, request: Request) -> Response:
        asked = read_fields(await self._body(request, _MOST), ("names", "by", "reason"))
        names = _names(asked) or tuple(name for name in self._recipients if name not in self._spared)
        self._must_exist(names, self._recipients)
        changed, _ = await self._carry_out("pause", names, asked)
        return Answer({"paused": list(changed), "already": [name for name in names if name not in changed]})

    async def resume(self, request: Request) -> Response:
        """Also what the configuration no longer names; no name means all that are paused."""
        asked = read_fields(await self._body(request, _MOST), ("names", "by"))
        names = _names(asked)
        self._must_exist(names, {*self._recipients, *self.holds.paused})
        changed, _ = await self._carry_out("resume", names, asked)
        return Answer({"resumed": list(changed), "already": [name for name in names if name not in changed]})

    async def freeze(self, request: Request) -> Response:
        asked = read_fields(await self._body(request, _MOST), ("by", "reason", "grace"))
        changed, holds = await self._carry_out("freeze", (self._squad,), asked, _grace(asked))
        until = None if holds.frozen is None or holds.frozen.until is None else iso(holds.frozen.until)
        return Answer({"frozen": holds.document()["frozen"], "already": not changed, "until": until})

    async def thaw(self, request: Request) -> Response:
        asked = read_fields(await self._body(request, _MOST), ("by",))
        changed, _ = await self._carry_out("thaw", (self._squad,), asked)
        return Answer({"thawed": bool(changed)})

    async def _carry_out(
        self, action: Action, names: tuple[str, ...], asked: dict[str, Any], grace: float | None = None
    ) -> tuple[tuple[str, ...], Holds]:
        """For which names it made a difference, and all that is on hold now. Done twice it is as if done once."""
        by, reason = read_line(asked, "by"), read_line(asked, "reason")
        done: HoldDone = await self._bridge.ask_storage(
            lambda number: Hold(number, action, names, by, reason, grace), again=True
        )
        if done.error is not None:
            raise done.error
        self.holds = Holds.read(done.holds)
        return done.changed, self.holds

    def _must_exist(self, names: Collection[str], known: Collection[str]) -> None:
        problems = [
            Problem(name, "no agent or convoy is called that", self._hint(name, known))
            for name in names
            if name not in known
        ]
        if len(problems) == 1:
            hint = problems[0].hint or f"there are: {', '.join(sorted(known)) or 'none'}"
            raise NotFoundError(f"no agent or convoy is called {shown(problems[0].where)}", hint=hint)
        if problems:
            there = f"there are: {', '.join(sorted(known)) or 'none'}"
            raise NotFoundError(
                "some of these are no agents or convoys; nothing was done", hint=there, problems=problems
            )

    @staticmethod
    def _hint(name: str, known: Collection[str]) -> str:
        of = name.rpartition("-")[0]  # "checker-2" is a worker of the convoy "checker"
        return f"a convoy is paused as a whole: {of}" if of in known else did_you_mean(name, sorted(known))


def _names(asked: dict[str, Any]) -> tuple[str, ...]:
    names = asked.get("names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError("names must be a list of agents and convoys")
    return tuple(dict.fromkeys(names))


def _grace(asked: dict[str, Any]) -> float | None:
    """Seconds; None: running handlers may finish."""
    grace = asked.get("grace", _GRACE)
    if grace is None:
        return None
    if isinstance(grace, bool) or not isinstance(grace, int | float) or not 0 <= grace <= _LONGEST_GRACE:
        raise UsageError(f"grace must be a number of seconds from 0 to {_LONGEST_GRACE:,.0f}, or null")
    return float(grace)
