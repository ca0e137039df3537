"""What the gateway answers: JSON with a version, and errors that say what failed and what to do next."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from squad.actors.gateway.catalogue import shown
from squad.actors.gateway.reading import IntakeError
from squad.errors import ConfigError, Exit, QueueFullError, RateLimitError, RefusedError, SquadError, UsageError
from squad.messages import did_you_mean

SCHEMA_VERSION = 1


class NotFoundError(UsageError):
    """There is no such agent, convoy or message."""


def not_found(kind: str, name: str, known: Iterable[str]) -> NotFoundError:
    """That there is no ``kind`` of this name, and which was meant."""
    names = sorted(known)
    hint = did_you_mean(name, names) or f"there are: {', '.join(names) or 'none'}"
    return NotFoundError(f"no {kind} is called {shown(name)}", hint=hint)


class Answer(Response):
    """A JSON document in ASCII, which no terminal takes for an order."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps({"schema_version": SCHEMA_VERSION, **content}, separators=(",", ":")).encode("ascii")


def of_squad_error(request: Request, error: Exception) -> Response:
    """The answer to a request that raised one of Squad's own errors."""
    assert isinstance(error, SquadError)  # noqa: S101 - registered for these only
    document: dict[str, Any] = {
        "message": error.message,
        "hint": error.hint,
        "exit": int(error.exit),
        "problems": [{"where": p.where, "what": p.what, "hint": p.hint} for p in error.problems],
    }
    headers = {}
    if isinstance(error, QueueFullError):
        document["kind"] = "queue_full"
    if isinstance(error, RateLimitError):
        document["retry_after"] = round(error.retry_after, 3)
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return Answer({"error": document}, _status(error), headers)


def _status(error: SquadError) -> int:
    if isinstance(error, IntakeError):
        return error.status
    if isinstance(error, RateLimitError | QueueFullError):
        return HTTPStatus.TOO_MANY_REQUESTS
    if isinstance(error, NotFoundError):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, RefusedError | UsageError | ConfigError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.SERVICE_UNAVAILABLE  # the store or another actor cannot do its part now


def of_http_error(request: Request, error: Exception) -> Response:
    """The answer to a request for a path or a method that there is not."""
    assert isinstance(error, HTTPException)  # noqa: S101
    path = request.url.path
    what = "takes no" if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else "is not there for"
    shown = path if path.isprintable() and len(path) <= 100 else ascii(path[:100])
    document = {
        "message": f"{shown} {what} {request.method}",
        "hint": "is this client of another version than the squad?",
        "exit": int(Exit.USAGE),
        "problems": [],
    }
    return Answer({"error": document}, error.status_code, dict(error.headers or {}))


def of_bug(request: Request, error: Exception) -> Response:
    """The answer when the gateway itself is wrong; the traceback is logged."""
    document = {
        "message": f"this is a bug in Squad: {type(error).__name__} in the gateway",
        "hint": "its traceback is in logs/gateway.jsonl in the squad's home",
        "exit": int(Exit.FAILED),
        "problems": [],
    }
    return Answer({"error": document}, HTTPStatus.INTERNAL_SERVER_ERROR)


def of_nobody(request: Request, error: Exception) -> Response:
    """The client went away in the middle of its request: nobody reads this."""
    return Answer({}, HTTPStatus.BAD_REQUEST)


HANDLERS = {
    SquadError: of_squad_error,
    HTTPException: of_http_error,
    ClientDisconnect: of_nobody,
    Exception: of_bug,
}
