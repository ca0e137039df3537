"""One request to the gateway and its answer: HTTP over its Unix socket, and errors as they were raised there."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from squad.errors import (
    ConfigError,
    Exit,
    NotRunningError,
    Problem,
    QueueFullError,
    RateLimitError,
    RefusedError,
    SquadError,
    UsageError,
    WaitTimeoutError,
)
from squad.home import Home

_LONGEST_SOCKET_PATH = 107  # bytes, Linux


class Request(NamedTuple):
    """What the gateway is asked: ``body`` is of the kind ``content_type``.

    The last byte of the body is sent when ``gate`` returns. Until then the gateway can read the rest, and does nothing
    with it; if ``gate`` raises it never will.
    """

    method: str
    path: str
    body: bytes | None = None
    content_type: str = "application/json"
    gate: Callable[[], None] | None = None
    headers: Mapping[str, str] = MappingProxyType({})


class Connection(http.client.HTTPConnection):
    """HTTP over the gateway's Unix socket."""

    def __init__(self, home: Home) -> None:
        super().__init__("localhost")
        self._home = home
        self._limit: float | None = None

    def limit(self, seconds: float) -> None:
        """How long a send or an answer may take from now on."""
        self._limit = seconds
        if self.sock is not None:
            self.sock.settimeout(seconds)

    def say(self, request: Request) -> None:
        headers = dict(request.headers)
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if request.gate is None or not request.body:
            self.request(request.method, request.path, request.body, headers)
            return
        self.request(request.method, request.path, None, {**headers, "Content-Length": str(len(request.body))})
        try:
            self.send(request.body[:-1])
        finally:
            request.gate()
        self.send(request.body[-1:])

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self._limit)
            _connect(self.sock, self._home.socket())
        except BaseException:
            self.close()
            raise


def _connect(sock: socket.socket, path: Path) -> None:
    """Connect to a socket file, through its folder's descriptor when the path is too long for the system call."""
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        sock.connect(str(path))
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def answer(status: int, content: bytes) -> dict[str, Any]:
    """The document of an answer. Raises what the gateway says when it is an error."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise SquadError(
            f"the gateway answered with status {status} and no JSON", hint="its log is logs/gateway.jsonl in the home"
        )
    if status < 400:
        return document
    _raise(status, document.get("error") or {})


def _raise(status: int, error: dict[str, Any]) -> NoReturn:
    kinds: dict[int, type[SquadError]] = {
        Exit.USAGE: UsageError if status in (404, 405) else RefusedError,
        Exit.NOT_RUNNING: NotRunningError,
        Exit.CONFIG: ConfigError,
        Exit.TIMED_OUT: WaitTimeoutError,
    }
    kind = kinds.get(error.get("exit", Exit.FAILED), SquadError)
    if status == 429:
        kind = QueueFullError if error.get("kind") == "queue_full" else RateLimitError
    problems = [
        Problem(str(item.get("where", "")), str(item.get("what", "")), str(item.get("hint", "")))
        for item in error.get("problems", ())
    ]
    message = str(error.get("message") or f"the gateway answered with status {status}")
    raised = kind(message, hint=str(error.get("hint", "")), problems=problems)
    if isinstance(raised, RateLimitError):
        raised.retry_after = float(error.get("retry_after") or 0.0)
    raise raised


def encode(value: Mapping[str, Any]) -> bytes:
    """The body of a request. Raises RefusedError for what JSON cannot say."""
    try:
        return _compact(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RefusedError("the message cannot be written as JSON", problems=[Problem("payload", str(error))]) from None


_compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
