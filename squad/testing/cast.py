"""The actors of a squad on the stage: Squad's own classes, with what reaches out of the process replaced."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from squad.actors.agents import blackbox
from squad.actors.agents.agent import AgentActor
from squad.actors.agents.blackbox import Hand
from squad.actors.agents.handlers import Agent
from squad.actors.broker.mailbox import Broker
from squad.actors.broker.rules import Rules
from squad.actors.broker.storage import Storage
from squad.actors.gateway.actor import Gateway
from squad.actors.gateway.bridge import Bridge
from squad.actors.protocol import Evict, Held
from squad.actors.scheduling.scheduler import Scheduler
from squad.actors.supervision.children import ChildSpec
from squad.store.rows import Outcome
from squad.testing.stage import Stage, Staged

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from squad.config.schema import SquadConfig
    from squad.store.writer import Writer

_PATIENCE = 10.0  # seconds of real time for a handler, or a command, to end
_POLL = 0.002


class StagedBroker(Broker):
    """The broker without its thread: each of its rounds is one call on the stage.

    It hands out nothing while ``open`` is False, so that all that a test sends before ``run`` is there when the agents
    begin, and is taken in its order. It need not look out for a clock that was set: whoever sets this one has a
    ``turn`` taken.
    """

    longest_sleep = math.inf

    def __init__(self, *arguments: Any, stage: Stage, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.open = False
        self._stage = stage
        self._batch: list[tuple[Any, Any]] = []
        self._planned: float | None = None

    def start(self) -> None:
        self._plan()

    def put(self, msg: Any, sender: Any) -> None:
        self._batch.append((msg, sender))
        if len(self._batch) == 1:
            self._stage.soon(self.turn)

    def turn(self) -> None:
        batch, self._batch = self._batch, []
        self._round(batch)
        self._upkeep.turn(worked=bool(batch), waiting=False)
        self._plan()

    def stop(self) -> None:
        self._writer.close()

    def write_metrics(self) -> None:
        with self._writer.transaction():
            self._writer.metrics.write(self._clock.time())

    def _hand_out(self, now: float, done: Any) -> None:
        if self.open:
            super()._hand_out(now, done)

    def _plan(self) -> None:
        patience = self._patience()
        if patience is None:
            return
        now = self._stage.clock.now
        due = now + patience
        if self._planned is None or self._planned <= now or due != self._planned:
            self._planned = due
            self._stage.at(due, self.turn)


class StagedStorage(Staged, Storage):
    broker: StagedBroker

    def make_broker(self, writer: Writer, rules: Rules) -> Broker:
        self.broker = StagedBroker(
            writer,
            rules,
            self.tell,
            evict=lambda worker, why: self.tell(self._supervisor, Evict(worker, why)),
            held=lambda holds: self.tell(self._supervisor, Held(holds.text())),
            clock=self.clock,
            stage=self.stage,
        )
        return self.broker

    def close(self) -> None:
        self.broker.stop()
        self._lock.release()


class StagedScheduler(Staged, Scheduler):
    """It is told when somebody has set the clock."""

    longest_sleep = math.inf

    def look(self) -> None:
        self.post(lambda: self.on_timer("look"))


class StagedAgent(Staged, AgentActor):
    """One worker. Its "process" is this object, its runner's thread, and the nursery of a command agent."""

    _begun = False  # its start has come to an end, well or not
    _agent: Agent | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def worker(self) -> str:
        return str(self._worker)

    @property
    def spec(self) -> ChildSpec:
        found: ChildSpec = self._spec
        return found

    def working(self) -> bool:
        runner = self._runner
        if self.dead or runner is None or not runner.is_alive() or self.stage.clock.waits(runner.ident):
            return False
        return len(self._held) > self._outbox.ended_by_handlers if self._ready else not self._begun

    def doing(self) -> str:
        current = self._runner.current if self._runner is not None else None
        what = "starting" if current is None else f"handling {current.lease.type} {current.lease.task_id}"
        return f"{self.name} is {what}"

    def _make_agent(self) -> Agent:
        self._agent = super()._make_agent()
        return self._agent

    def _become_ready(self) -> None:
        """On the runner's thread. What ``ready_when`` asks for lies outside, and is not asked for here."""
        self._through = True
        self.post(self._begin_work)

    def post(self, call: Callable[[], None]) -> None:
        with self.stage.changed:  # whoever sees that its start is over finds what it led to
            if self._runner is not None and threading.get_ident() == self._runner.ident:
                self._begun = True
            super().post(call)

    def _finished(self, outcome: Outcome) -> None:
        with self.stage.changed:  # likewise with the end of a handler
            super()._finished(outcome)

    def kill(self) -> Hand | None:
        """End it as signal 9 would; what it had in hand."""
        hand = blackbox.read(self._home / "run" / "hand", self._worker)
        self.dead = True
        if self._agent is not None:
            vars(self._agent)["stop"] = _nothing
        self.close()
        blackbox.discard(self._home / "run" / "hand", self._worker)
        return hand

    def close(self) -> None:
        """End it in good order, but for what it has in hand."""
        if self._runner is not None:
            self._runner.tray.withdraw()
            self._runner.tray.close()
            self.stage.clock.abandon(self._runner.ident)
            self._runner.join(_PATIENCE)
        if self._nursery is not None:
            self._nursery.close()
            deadline = time.monotonic() + _PATIENCE
            while self._nursery.process.is_alive() and time.monotonic() < deadline:
                time.sleep(_POLL)


def _nothing() -> None:
    """In place of an agent's ``stop``, which a process that is killed does not come to."""


class StagedGateway(Staged, Gateway):
    """Its routes, asked directly."""

    app: Starlette

    def open(self, home: Path, config: SquadConfig, supervisor: Any, storage: Any) -> None:
        self._supervisor = supervisor
        self._bridge = Bridge(self._at_once, self.tell)
        self._bridge.storage_at(storage)
        self._api = self._make_api(home, config)
        self.app = self._api.app()

    def _at_once(self, call: Callable[[], None]) -> None:
        call()
        self.stage.pump()

    async def exchange(self, method: str, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        """(status, body) of the answer to one request."""
        self._bridge.open()
        plain, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(plain),
            "raw_path": plain.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())],
            "client": None,
            "server": None,
        }
        asked = asyncio.Event()
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            if asked.is_set():
                await asyncio.Event().wait()  # the client stays
            asked.set()
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Any) -> None:
            said.append(event)

        await self.app(scope, receive, send)
        status: int = next(event["status"] for event in said if event["type"] == "http.response.start")
        return status, b"".join(event.get("body", b"") for event in said if event["type"] == "http.response.body")

    def close(self) -> None:
        self.pool.close()
