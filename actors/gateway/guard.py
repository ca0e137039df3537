"""What stands before all that is served beyond the squad's own socket: see ``guarding`` for whom it lets in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from squad.actors.gateway.answers import Answer
from squad.actors.gateway.guarding import READING, Asked, Policy, Refusal
from squad.actors.gateway.neighbours import is_own
from squad.errors import Exit

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # frame-ancestors, for older browsers
    "Referrer-Policy": "same-origin",  # with none at all a form of our own would come from nowhere, as foreign ones do
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE = "text/html"
_TEXTS: dict[Refusal, tuple[HTTPStatus, str, str]] = {
    "host": (
        HTTPStatus.MISDIRECTED_REQUEST,
        "this is not the host that the request names",
        "squad dashboard --print prints the address; hosts in the configuration lists other names",
    ),
    "origin": (HTTPStatus.FORBIDDEN, "a page of another site may change nothing here", "squad dashboard opens ours"),
    "read-only": (
        HTTPStatus.FORBIDDEN,
        "nothing can be changed here: there is no token",
        "token_env in the configuration names the variable of the environment that holds one",
    ),
    "stranger": (
        HTTPStatus.FORBIDDEN,
        "this is for the user whose squad it is",
        "dashboard.token_env in the configuration names the variable of a token, which lets others in",
    ),
    "token": (
        HTTPStatus.UNAUTHORIZED,
        "this needs the token",
        "show it at /login, or in a header: Authorization: Bearer TOKEN",
    ),
}


class Guard:
    """ASGI middleware: refuses what ``policy`` refuses, and puts the headers on every answer that keep a browser from
    being led astray by what came in a message."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self.app = app
        self.policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        refusal = self.policy.judge(asked(request, own=not self.policy.ours or _own(request)))
        found = self.app if refusal is None else _refused(request, refusal)
        await found(scope, receive, _guarded(send))


def asked(request: HTTPConnection, *, own: bool = True) -> Asked:
    """A request, for the ``Policy``. ``own``: it comes from a program of our own user."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, []).append(value)
    scope = request.scope
    server = scope.get("server") or ("", None)
    return Asked(scope.get("method", ""), scope["path"], headers, (server[0], server[1]), request.cookies, own)


def wants_page(request: HTTPConnection) -> bool:
    """Whether somebody reads the answer in a browser. ``/v1`` answers programs, whatever they say of themselves."""
    path = request.scope["path"]
    return _PAGE in request.headers.get("accept", "") and path != "/v1" and not path.startswith("/v1/")


def _own(request: HTTPConnection) -> bool:
    client, server = request.scope.get("client"), request.scope.get("server")
    return client is not None and server is not None and is_own(tuple(client), tuple(server))


def _refused(request: Request, refusal: Refusal) -> Response:
    status, message, hint = _TEXTS[refusal]
    if refusal == "token" and request.method in READING and _PAGE in request.headers.get("accept", ""):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/login?next={quote(request.scope['path'] + query, safe='')}", HTTPStatus.SEE_OTHER)
    error = {"message": message, "hint": hint, "exit": int(Exit.USAGE), "problems": []}
    # The rest of a body is not read.
    headers = {"Connection": "close"} | ({"WWW-Authenticate": "Bearer"} if refusal == "token" else {})
    return Answer({"error": error}, status, headers)


def _guarded(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent
