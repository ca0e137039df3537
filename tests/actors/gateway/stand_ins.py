"""Stand-ins for the actors around the gateway, and the real HTTP server in front of them."""

from __future__ import annotations

import asyncio
import http.client
import json
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from squad.actors.gateway.admission import Admission
from squad.actors.gateway.api import Api
from squad.actors.gateway.bridge import Bridge
from squad.actors.gateway.catalogue import Catalogue
from squad.actors.gateway.intake import Intake
from squad.actors.gateway.listening import SameUser, listen
from squad.actors.gateway.probing import Counted
from squad.actors.protocol import (
    Cancel,
    Cancelled,
    Desk,
    DeskDone,
    Explain,
    Explained,
    Hold,
    HoldDone,
    Inspect,
    Maintain,
    MaintainDone,
    Refusal,
    Reply,
    Resize,
    Restart,
    Submit,
    SubmitDone,
    Tree,
    Unwatch,
    Watch,
)
from squad.actors.supervision.tree import supervisor_row
from squad.config.schedules import ScheduleConfig
from squad.config.schema import RateConfig
from squad.errors import SquadError, StoreError
from squad.messages import MessageType, message, type_of
from squad.store.holds import Holds
from squad.store.metrics import Series
from squad.store.rows import NewTask, Submitted
from squad.store.waiting import Waiting


@message("scan")
class Scan:
    path: str
    depth: int = 3


@message("report")
class Report:
    text: str


@message("moody")
class Moody:
    """A type whose own code is broken."""

    value: int

    def __post_init__(self) -> None:
        raise KeyError("its own mistake")


SCAN, REPORT, MOODY = type_of(Scan), type_of(Report), type_of(Moody)
HANDLED: dict[str, dict[str, MessageType]] = {
    "scanner": {"scan": SCAN, "moody": MOODY},
    "reporter": {"report": REPORT},
    "checker": {"scan": SCAN},
}
CATALOGUE = Catalogue(HANDLED, {"broken": "its class does not import: No module named 'nowhere'"})


def row(name: str, kind: str, parent: str | None, state: str, **more: Any) -> dict[str, Any]:
    about = {"name": name, "kind": kind, "parent": parent, "pid": 7, "age": 0.5}
    return supervisor_row(1_735_787_045.678, 30_000_000, 1.5, state) | about | more


TREE = (
    row("supervisor", "supervisor", None, "ready"),
    row("storage", "storage", "supervisor", "ready"),
    row("gateway", "gateway", "supervisor", "idle"),
    row("scanner", "agent", "supervisor", "busy"),
    row(
        "checker",
        "convoy",
        "supervisor",
        "ready",
        pid=None,
        size=2,
        target=2,
        min=2,
        max=8,
        pinned=False,
        reason="at its start",
    ),
    row("checker-1", "worker", "checker", "idle"),
    row("checker-2", "worker", "checker", "idle"),
)


class StandIn:
    """The actor side: one thread that runs what is posted, and a storage and a supervisor that answer on it."""

    def __init__(self) -> None:
        self.stored: dict[str, NewTask] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.ended: set[str] = set()
        self.watches: dict[str, Watch] = {}
        self.said: list[Any] = []  # everything that was told to anybody
        self.silent: set[str] = set()  # "storage", "supervisor"
        self.error = ""  # what the storage says instead of storing
        self.full: set[str] = set()  # recipients with full mailboxes
        self.dead: tuple[str, ...] = ()  # what the desk finds
        self.desk_error: SquadError | None = None
        self.maintain_error: SquadError | None = None
        self.tree = TREE
        self.refusal = ""  # what the supervisor says to orders
        self.depths: Mapping[str, int] = {"scanner": 4}
        self.kept: dict[str, str] = {}
        self.series: list[Series] = []
        self.about: dict[str, Any] = {}
        self.found: Waiting | None = None  # how a message stands, by the database
        self.bridge = Bridge(self.post, self._tell)
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.post(lambda: self.bridge.storage_at("storage"))

    def post(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def stop(self) -> None:
        self._calls.put(None)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def _tell(self, address: Any, msg: Any) -> None:  # noqa: PLR0912 - one for each kind of message
        self.said.append(msg)
        if address in self.silent:
            return
        if isinstance(msg, Submit):
            self.bridge.submit_done(self._store(msg))
        elif isinstance(msg, Cancel):
            self.bridge.answer(msg.request, Cancelled(msg.request, 2, 1))
        elif isinstance(msg, Desk):
            self.bridge.answer(msg.request, DeskDone(msg.request, self.dead, self.desk_error))
        elif isinstance(msg, Maintain):
            self.bridge.answer(msg.request, MaintainDone(msg.request, 1.7e9, True, self.maintain_error))
        elif isinstance(msg, Hold):
            self.bridge.answer(msg.request, HoldDone(msg.request, msg.names, Holds().text()))
        elif isinstance(msg, Explain):
            self.bridge.answer(msg.request, Explained(msg.request, self.about))
        elif isinstance(msg, Watch):
            self.watches[msg.request] = msg
            if msg.task_id in self.ended:
                self.bridge.watched(msg.request)
        elif isinstance(msg, Unwatch):
            self.watches.pop(msg.request, None)
        elif isinstance(msg, Inspect):
            self.bridge.answer(msg.request, Tree(msg.request, self.tree))
        elif isinstance(msg, Restart):
            self.bridge.answer(msg.request, Reply(msg.request, self.refusal))
        elif isinstance(msg, Resize):
            detail = {"size": msg.size or 2, "pinned": msg.size is not None}
            self.bridge.answer(msg.request, Reply(msg.request, self.refusal, detail))

    def _store(self, msg: Submit) -> SubmitDone:
        if self.error:
            return SubmitDone(msg.request, (), self.error)
        results: list[Submitted] = []
        refused = []
        start = 0
        for number, size in enumerate(msg.groups):
            part = msg.rows[start : start + size]
            start += size
            if any(task.recipient in self.full for task in part):
                refused.append((number, Refusal("the mailbox is full", "wait", full=True)))
            else:
                results += map(self._keep, part)
        error = refused[0][1].error if refused and not results else ""
        return SubmitDone(msg.request, tuple(results), error, tuple(refused))

    def _keep(self, task: NewTask) -> Submitted:
        first = self.keys.setdefault((task.recipient, task.key), task.task_id) if task.key else task.task_id
        known = first in self.stored
        self.stored.setdefault(first, task)
        return Submitted(first, known)

    def end(self, task_id: str) -> None:
        """A message ends: whoever watches it is told."""

        def tell() -> None:
            self.ended.add(task_id)
            for request in [watch.request for watch in self.watches.values() if watch.task_id == task_id]:
                self.bridge.watched(request)

        self.post(tell)

    def exists(self, task_id: str) -> bool:
        return task_id in self.stored

    def meant_for(self, task_id: str) -> tuple[str, str] | None:
        found = self.stored.get(task_id)
        return None if found is None else (found.recipient, found.type)

    def pool(self) -> Mapping[str, int]:
        return {"size": 20, "in_use": 1}

    def queue_depths(self) -> Mapping[str, int]:
        return self.depths

    def keeper(self) -> Mapping[str, str]:
        return self.kept

    def ask(self, question: Callable[[Any], Any]) -> Any:
        raise StoreError("there is no database here")

    def counted(self) -> Counted:
        return self.depths, {"queued": 4}, self.series

    def waiting(self, task_id: str, now: float) -> Waiting:
        assert self.found is not None
        return self.found


class Server(uvicorn.Server):
    """Ends at once; uvicorn's own looks only now and then whether it should."""

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        if not self.should_exit:
            await self._ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.001)

    def end(self) -> None:
        """Called on another thread."""
        self.should_exit = True
        if hasattr(self, "_ended"):
            self._loop.call_soon_threadsafe(self._ended.set)


class Served:
    """The HTTP interface on a real socket in ``home``, over a StandIn."""

    def __init__(
        self,
        home: Path,
        *,
        clients: RateConfig | None = None,
        max_payload: int = 10_000,
        schedules: Mapping[str, ScheduleConfig] | None = None,
    ) -> None:
        self.inside = StandIn()
        self.api = Api(
            squad="test",
            supervisor="supervisor",
            bridge=self.inside.bridge,
            catalogue=CATALOGUE,
            intake=Intake(CATALOGUE, max_payload),
            admission=Admission(clients),
            reads=self.inside,
            agents=frozenset(HANDLED) | {"storage", "monitor"},
            sizes={"checker": (2, 8)},
            source=None,
            schedules=schedules or {},
        )
        self._listener = listen(home)
        self.path = str(home / "control.sock")
        self._server = Server(
            uvicorn.Config(self.api.app(), http=SameUser, ws="none", lifespan="off", log_config=None, access_log=False)
        )
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        async def serve() -> None:
            self.inside.bridge.open()
            await self._server.serve([self._listener])

        try:
            asyncio.run(serve())
        except BaseException as error:
            self._failed = error

    def close(self) -> None:
        self._server.end()
        self._thread.join(30)
        self.inside.stop()
        assert not self._thread.is_alive()
        assert self._failed is None, self._failed

    def call(
        self, method: str, path: str, body: bytes | str | None = None, timeout: float = 60.0
    ) -> tuple[int, dict[str, Any]]:
        """One request over a connection of its own: the status and the JSON document."""
        connection = self.connection(timeout)
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body)
            response = connection.getresponse()
            content = response.read()
            assert response.headers["Content-Type"] == "application/json", content
            document = json.loads(content)
            assert document["schema_version"] == 1
            return response.status, document
        finally:
            connection.close()

    def connection(self, timeout: float = 60.0) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout)
        connection.sock.connect(self.path)
        return connection

    def send(self, **message: Any) -> tuple[int, dict[str, Any]]:
        return self.call("POST", "/v1/messages", json.dumps(message))

    def error(self, method: str, path: str, body: bytes | str | None = None) -> tuple[int, dict[str, Any]]:
        status, document = self.call(method, path, body)
        assert status >= 400
        assert document["error"].keys() >= {"message", "hint", "exit", "problems"}
        return status, document["error"]
