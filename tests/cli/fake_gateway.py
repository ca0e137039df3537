"""A gateway that a test scripts: real HTTP on a real Unix socket, in a home that looks as if a squad ran in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from squad.home import Home, created

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


def refusal(status: int, message: str, exit_status: int, hint: str = "", **problems: str) -> Answer:
    """An error of the gateway; ``problems`` are ``where="what"``."""
    listed = [{"where": where.replace("_", " "), "what": what, "hint": ""} for where, what in problems.items()]
    return status, {"error": {"message": message, "hint": hint, "exit": exit_status, "problems": listed}}


@dataclass
class FakeGateway:
    """Answers ``METHOD /path`` (without the query) with what ``on`` was given for it, and keeps every request.

    ``serve`` and ``vanish`` start and stop it listening, as a restart of the real one does; the launcher's lock stays
    held for the whole ``with`` block.
    """

    home: Home
    requests: list[Request] = field(default_factory=list)
    accepted: int = 0

    def __post_init__(self) -> None:
        self._routes: dict[str, Callable[[Request], Answer]] = {}
        self._server: _Server | None = None
        self._lock = -1
        self.on("POST /v1/messages", lambda request: (201, {"id": request.json["id"], "duplicate": False}))
        self.on("GET /v1/holds", (200, {"frozen": None, "paused": []}))
        self.on("POST /v1/messages/batch", lambda request: (201, {"ids": [line["id"] for line in request.lines]}))

    def on(self, route: str, answer: Answer | Callable[[Request], Answer]) -> None:
        self._routes[route] = answer if callable(answer) else lambda _: answer

    def __enter__(self) -> Self:
        self.hold_lock()
        self.serve()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.vanish()
        self.release_lock()

    def hold_lock(self) -> None:
        self.home.prepare()
        self._lock = os.open(self.home.path / "launcher.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.truncate(self._lock, 0)
        content = {
            "pid": os.getpid(),
            "created": created(os.getpid()),
            "config": None,
            "name": "audit",
            "started_at": "2026-01-31T09:30:00.250Z",
        }
        os.pwrite(self._lock, json.dumps(content).encode(), 0)

    def release_lock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def serve(self, path: Path | None = None) -> None:
        self._server = _Server(path or self.home.socket(), self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def vanish(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()

    def answer(self, request: Request) -> Answer:
        route = f"{request.method} {request.path.partition('?')[0]}"
        if route != "GET /v1/holds":  # what every send asks beside the matter
            self.requests.append(request)
        if route not in self._routes:
            return refusal(404, f"no such route: {route}", 1)
        return self._routes[route](request)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.open: set[Any] = set()
        path.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:  # by the folder's descriptor, since a socket's path is limited to 107 bytes
            super().__init__(f"/proc/self/fd/{folder}/{path.name}", _Handler)
        finally:
            os.close(folder)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.gateway.accepted += 1
        self.open.add(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was cut is what the tests do; nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _respond(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # whoever asked has thought better of it
            self.close_connection = True
            return
        status, document = self.server.gateway.answer(Request(self.command, self.path, body))
        if status == 0:  # the test wants the connection cut without an answer
            self.close_connection = True
            return
        content = document if isinstance(document, bytes) else json.dumps({"schema_version": 1, **document}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = _respond  # noqa: N815 - the base class's name for it
    do_POST = _respond  # noqa: N815
    do_PUT = _respond  # noqa: N815

    def address_string(self) -> str:
        return "local"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""
