"""The bodies of requests, read within bounds of size and time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import Request

from squad.actors.gateway.intake import MOST_BYTES
from squad.actors.gateway.reading import IntakeError, TooLargeError

_LIMIT = 60.0  # seconds for a request to arrive


@contextlib.asynccontextmanager
async def arriving(request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body in pieces.

    When the block refuses it half-way the rest is read and dropped: a client that is still writing would otherwise
    find its connection closed before it has read why.
    """
    pieces = request.stream()
    try:
        async with asyncio.timeout(_LIMIT):
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
        raise IntakeError(f"the request did not arrive within {_LIMIT:g} s", status=400) from None


async def whole(request: Request, most: int) -> bytes:
    """The whole body, of at most so many bytes. Raises TooLargeError."""
    taken: list[bytes] = []
    size = 0
    async with arriving(request) as pieces:
        async for piece in pieces:
            taken.append(piece)
            size += len(piece)
            if size > most:
                raise TooLargeError(f"the request is over {most:,} bytes")
    return b"".join(taken)
