"""uvicorn as the gateway uses it: several servers on one event loop, which end with the process."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_KEEP_ALIVE = 75  # seconds that an idle connection is kept for its client's next request


class _Server(uvicorn.Server):
    async def main_loop(self) -> None:
        """Serve until the process ends. uvicorn's own looks ten times a second whether it should stop."""
        await self.on_tick(0)
        await asyncio.get_running_loop().create_future()


async def serve(app: ASGIApp, listener: socket.socket, protocol: type[H11Protocol], most: int | None = None) -> None:
    """Serve on a listening socket. ``most``: connections, beyond which requests are answered with 503."""
    settings: dict[str, Any] = {
        "http": protocol,
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "date_header": False,  # somebody would have to wake up each second to write it
        "proxy_headers": False,  # whoever connects could write them
        "timeout_keep_alive": _KEEP_ALIVE,
        "limit_concurrency": most,
    }
    await _Server(uvicorn.Config(app, **settings)).serve([listener])
