"""The dashboard's pages over a store of a test's own, with a stand-in for the gateway, served as it serves them.

with served(gate_of(path, config)) as address:
    urlopen(f"{address}/messages")
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from squad.actors.supervision.tree import supervisor_row
from squad.clock import SYSTEM, Clock
from squad.config.schema import SquadConfig
from squad.store.database import open_pool
from squad.web import Gate, routes

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
Row = dict[str, Any]


def row(name: str, kind: str = "agent", parent: str = "supervisor", state: str = "idle", **more: Any) -> Row:
    """A row of the tree, as the supervisor makes them."""
    about = {"name": name, "kind": kind, "parent": parent, "pid": 4321}
    return supervisor_row(1_790_000_000, 42_000_000, 1.5, state) | about | more


def convoy(name: str, workers: int) -> list[Row]:
    sizes = {"size": workers, "target": workers, "min": 1, "max": 9, "pinned": False, "reason": ""}
    below = [row(f"{name}-{n}", "worker", name) for n in range(1, workers + 1)]
    return [row(name, "convoy", state="ready", pid=None, **sizes), *below]


def core() -> list[Row]:
    return [row("supervisor", "supervisor", state="ready"), *(row(name, name) for name in ("storage", "monitor"))]


def gate_of(
    path: Path,
    config: SquadConfig,
    rows: Callable[[], list[Row]] = lambda: [*core(), row("scanner")],
    *,
    write: bool = False,
    why: Callable[[str], Awaitable[Row]] | None = None,
    clock: Clock = SYSTEM,
    schedules: Sequence[Row] = (),
) -> Gate:
    async def tree() -> list[Row]:
        return rows()

    async def nothing(task_id: str) -> Row:
        return {"reasons": []}

    async def planned() -> list[Row]:
        return list(schedules)

    return Gate(
        squad=config.name,
        home=path.parent,
        config=config,
        pool=open_pool(path, config.store),
        clock=clock,
        rows=tree,
        why=why or nothing,
        schedules=planned,
        may_write=lambda request: write,
        writable=write,
    )


def guarded(app: ASGIApp) -> ASGIApp:
    """With the policy that the gateway sends, which a browser keeps to."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await app(scope, receive, say)

    return wrapped


@contextmanager
def served(gate: Gate, port: int = 0) -> Iterator[str]:
    """The pages' address while the block runs."""
    listener = socket.create_server(("127.0.0.1", port))
    app = guarded(Starlette(routes=routes(gate)))
    config = uvicorn.Config(
        app, log_config=None, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        gate.pool.close()
