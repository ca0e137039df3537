"""The files that the pages load: our own, and the libraries that are carried with their licences."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}


class _File(NamedTuple):
    content: bytes
    type: str
    tag: str


async def answer(request: Request) -> Response:
    """A file, once; then 304 while it is the same."""
    found = _files().get(request.path_params["name"])
    if found is None:
        return Response("there is no such file", 404, media_type="text/plain")
    headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.type)


@cache
def _files() -> dict[str, _File]:
    """All of them, by name: what is asked for never becomes a path."""
    found = {}
    for folder, prefix in (
        (files("squad.web") / "static", ""),
        (files("squad.web") / "static" / "carried", "carried/"),
    ):
        for entry in folder.iterdir():
            kind = _TYPES.get("." + entry.name.rpartition(".")[2])
            if kind is not None and entry.is_file():
                content = entry.read_bytes()
                found[prefix + entry.name] = _File(content, kind, f'"{sha256(content).hexdigest()[:16]}"')
    return found
