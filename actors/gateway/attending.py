"""The gateway's routes for alerts: acknowledging them, silencing rules and agents for a time, and trying a sink."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from squad.actors.gateway import shapes
from squad.actors.gateway.answers import Answer, not_found
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.endpoint import Endpoint
from squad.actors.gateway.reading import IntakeError, is_id, read_fields, read_line
from squad.actors.gateway.shapes import many, order, record
from squad.actors.protocol import Attend, Attended
from squad.alerts import BUILT_IN
from squad.errors import UsageError
from squad.ids import new_id
from squad.notices import ALERT
from squad.store.incidents import Ack, NewSilence, Order, Unsilence
from squad.store.rows import NewTask
from squad.store.times import iso

_SILENCE: shapes.Schema = {
    "id": shapes.ID,
    **dict.fromkeys(("rule", "agent", "by", "reason"), shapes.TEXT),
}
_MOST = 64 * 1024  # bytes of a request
_LONGEST_SILENCE = 366 * 86_400.0  # seconds


class Attending:
    """``rules``: those of the configuration's own; ``sinks``: by name, who gets the messages for each; ``body`` reads a
    request of at most so many bytes."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that it stands between
        self,
        squad: str,
        recipients: Collection[str],
        rules: Collection[str],
        sinks: Mapping[str, str],
        bridge: Bridge,
        body: Callable[[Request, int], Awaitable[bytes]],
    ) -> None:
        self._squad = squad
        self._recipients = recipients
        self._rules = (*BUILT_IN, *rules)
        self._sinks = sinks
        self._bridge = bridge
        self._body = body

    def routes(self) -> list[Route]:
        return [
            Endpoint(
                "POST",
                "/v1/alerts/ack",
                self.ack,
                "Acknowledge alerts: they remind nobody any more.",
                body=order({"ids": shapes.IDS}, optional={"by": shapes.TEXT, "note": shapes.TEXT}),
                answer=record({"acked": many(shapes.TEXT), "already": many(shapes.TEXT)}),
            ),
            Endpoint(
                "POST",
                "/v1/alerts/silence",
                self.silence,
                "Have a rule, an agent or both tell nobody for so many seconds.",
                body=order({"seconds": shapes.NUMBER}, optional=_SILENCE),
                answer=record(
                    {
                        "id": shapes.TEXT,
                        "rule": shapes.TEXT_OR_NULL,
                        "agent": shapes.TEXT_OR_NULL,
                        "until": shapes.TEXT,
                    }
                ),
                status=201,
            ),
            Endpoint(
                "POST",
                "/v1/alerts/unsilence",
                self.unsilence,
                "End silences (none named: all).",
                body=order(optional={"ids": shapes.IDS, "by": shapes.TEXT}),
                answer=record({"ended": many(shapes.TEXT), "already": many(shapes.TEXT)}),
            ),
            Endpoint(
                "POST",
                "/v1/alerts/test",
                self.test,
                "Send a sink an alert that says that it is none.",
                body=order({"sink": shapes.TEXT}, optional={"id": shapes.ID}),
                answer=record({"sink": shapes.TEXT, "recipient": shapes.TEXT, "id": shapes.TEXT}),
                status=201,
            ),
        ]

    async def ack(self, request: Request) -> Response:
        """``{"ids", "by", "note"}``. Those that were acknowledged before, or are over, are ``already``."""
        asked = read_fields(await self._body(request, _MOST), ("ids", "by", "note"))
        ids = _ids(asked, most=1000)
        if not ids:
            raise UsageError("ids must name at least one alert", hint="squad alerts list")
        changed = await self._carry_out(Ack(ids, read_line(asked, "by"), read_line(asked, "note")))
        return Answer({"acked": list(changed), "already": [one for one in ids if one not in changed]})

    async def silence(self, request: Request) -> Response:
        """``{"id", "rule", "agent", "seconds", "by", "reason"}``, with a new id, so that it is done once."""
        asked = read_fields(await self._body(request, _MOST), ("id", "rule", "agent", "seconds", "by", "reason"))
        rule, agent = read_line(asked, "rule") or None, read_line(asked, "agent") or None
        if rule is None and agent is None:
            raise UsageError("a silence is about a rule, an agent, or both")
        _must_be(rule, self._rules, "rule")
        _must_be(agent, self._recipients, "agent or convoy")
        seconds = asked.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_SILENCE:
            raise UsageError("seconds must be a number of them, more than 0 and at most a year")
        silence_id = _new_id(asked)
        order = NewSilence(silence_id, rule, agent, float(seconds), read_line(asked, "by"), read_line(asked, "reason"))
        await self._carry_out(order)
        return Answer({"id": silence_id, "rule": rule, "agent": agent, "until": iso(time.time() + seconds)}, 201)

    async def unsilence(self, request: Request) -> Response:
        """``{"ids", "by"}``; no ids: all that are in force."""
        asked = read_fields(await self._body(request, _MOST), ("ids", "by"))
        ids = _ids(asked, most=1000)
        changed = await self._carry_out(Unsilence(ids, read_line(asked, "by")))
        return Answer({"ended": list(changed), "already": [one for one in ids if one not in changed]})

    async def test(self, request: Request) -> Response:
        """``{"sink", "id"}``: send a sink an alert that says that it is none; ``id`` is a new one for its message."""
        asked = read_fields(await self._body(request, _MOST), ("sink", "id"))
        sink, task_id = read_line(asked, "sink"), _new_id(asked)
        _must_be(sink, self._sinks, "sink")
        at = iso(time.time())
        payload = {
            "id": task_id,
            "rule": "test",
            "state": "fired",
            "severity": "info",
            "squad": self._squad,
            "agent": None,
            "summary": "this is a test of the sink; nothing is wrong",
            "value": None,
            "threshold": None,
            "unit": "",
            "fired_at": at,
            "at": at,
            "todo": "squad alerts list",
        }
        row = NewTask(task_id, "clients", self._sinks[sink], ALERT, json.dumps(payload))
        await self._bridge.submit([row])
        return Answer({"sink": sink, "recipient": self._sinks[sink], "id": task_id}, 201)

    async def _carry_out(self, order: Order) -> tuple[str, ...]:
        done: Attended = await self._bridge.ask_storage(lambda number: Attend(number, order), again=True)
        if done.error is not None:
            raise done.error
        return done.changed


def _must_be(name: str | None, known: Collection[str], kind: str) -> None:
    if name is not None and name not in known:
        raise not_found(kind, name, known)


def _new_id(asked: dict[str, Any]) -> str:
    made = asked.get("id", new_id())
    if not isinstance(made, str) or not is_id(made):
        raise IntakeError("id must be a new UUID in lower case")
    return made


def _ids(asked: dict[str, Any], most: int) -> tuple[str, ...]:
    ids = asked.get("ids", [])
    if not isinstance(ids, list) or len(ids) > most or not all(isinstance(one, str) and is_id(one) for one in ids):
        raise UsageError(f"ids must be a list of at most {most:,} whole ids")
    return tuple(dict.fromkeys(ids))
