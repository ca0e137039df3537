"""The routes by which a reader shows the token, and takes it back. The form is a page of the dashboard's."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from squad.actors.gateway.bodies import whole
from squad.actors.gateway.guarding import Policy

_MOST = 8 * 1024  # bytes of the form


class Signing:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.sign_in, methods=["POST"]),
            Route("/logout", self.sign_out, methods=["POST"]),
        ]

    async def sign_in(self, request: Request) -> Response:
        """With the right token the browser gets the cookie that says so, until it is closed."""
        text = (await whole(request, _MOST)).decode("utf-8", "replace")
        try:
            form = parse_qs(text, max_num_fields=20)
        except ValueError:  # more fields
            form = {}
        following = _local(form.get("next", ["/"])[0])
        token = self._policy.token
        if token is None or not token.fits(form.get("token", [""])[0].strip()):
            return RedirectResponse(f"/login?wrong=1&next={quote(following, safe='')}", HTTPStatus.SEE_OTHER)
        answer = RedirectResponse(following, HTTPStatus.SEE_OTHER)
        # Behind a proxy that speaks TLS the page itself says so; the guard has compared the rest of its origin.
        secure = request.headers.get("origin", "").startswith("https:")
        answer.set_cookie(self._policy.cookie, token.cookie, httponly=True, samesite="strict", secure=secure)
        return answer

    async def sign_out(self, request: Request) -> Response:
        answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        answer.delete_cookie(self._policy.cookie, httponly=True, samesite="strict")
        return answer


def _local(path: str) -> str:
    r"""The path, if it is one of ours: not ``//elsewhere``, nor ``/\elsewhere``, which browsers take for the same."""
    ours = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable() and "\\" not in path
    return path if ours else "/"
