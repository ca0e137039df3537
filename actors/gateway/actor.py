"""The gateway: the way in for everyone outside, HTTP/JSON on a Unix socket in the home.

Two threads. The main one is the actor's loop, as in every actor; the other runs uvicorn on an event loop of its own.
They meet in the Bridge and nowhere else. It imports the users' classes for their message types and runs none of
their handlers.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from squad.actors import logs
from squad.actors.agents.handlers import handled_types
from squad.actors.agents.kinds import agent_class
from squad.actors.base import Actor, receives
from squad.actors.gateway.admission import Admission
from squad.actors.gateway.api import Api
from squad.actors.gateway.bridge import REPEAT_AFTER, Bridge
from squad.actors.gateway.catalogue import Catalogue
from squad.actors.gateway.doors import Doors
from squad.actors.gateway.intake import Intake
from squad.actors.gateway.listening import SameUser, listen, remove
from squad.actors.gateway.outside import Outside
from squad.actors.gateway.probing import Counted
from squad.actors.gateway.serving import serve
from squad.actors.protocol import (
    Address,
    Attended,
    Begin,
    Cancelled,
    Configured,
    DeskDone,
    Doing,
    Drain,
    Drained,
    Explained,
    Held,
    HoldDone,
    MaintainDone,
    Ping,
    Pong,
    Reply,
    Report,
    Started,
    StartFailed,
    StorageAt,
    SubmitDone,
    Tree,
    Watched,
)
from squad.config.sinks import recipient
from squad.errors import ConfigError, SquadError
from squad.messages import MessageType
from squad.store import metrics, queries, waiting
from squad.store.database import Pool, open_pool
from squad.store.holds import Holds
from squad.store.models import ArchivedTask, Task

if TYPE_CHECKING:
    from peewee import Database

    from squad.config.schema import SquadConfig


class Gateway(Actor):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._draining = False

    @receives(Begin)
    def on_begin(self, msg: Begin, sender: Address) -> None:
        self._supervisor, self._worker = sender, msg.worker
        self._home = home = Path(msg.home)
        self.set_title("gateway")
        self.log_to(home, "gateway", msg.config.logging)
        self.tell(sender, Started(self._worker))
        self._bridge = Bridge(self.post, self.tell)
        if msg.storage is not None:
            self._bridge.storage_at(msg.storage)
        try:
            self._api = self._make_api(home, msg.config)
            self._doors = self._make_doors(home, msg.config)
            listener = listen(home)
        except (SquadError, OSError) as error:
            logs.logger("gateway").error("cannot start: %s", error)
            self.tell(sender, StartFailed(self._worker, str(error)))
            return
        threading.Thread(target=self._serve, args=(listener,), name="http", daemon=True).start()
        self.after(REPEAT_AFTER, "repeat")

    def _make_api(self, home: Path, config: SquadConfig) -> Api:
        catalogue = catalogue_of(config)
        self.pool = open_pool(home / "squad.db", config.store)
        return Api(
            squad=config.name,
            supervisor=self._supervisor,
            bridge=self._bridge,
            catalogue=catalogue,
            intake=Intake(catalogue, config.limits.max_payload),
            admission=Admission(config.limits.clients),
            reads=_Database(self.pool),
            agents=frozenset(config.recipients)
            | {"storage", "monitor", "gateway"}
            | ({"scheduler"} if config.timed else set())
            | ({"exporter"} if config.exporters else set()),
            sizes={name: (convoy.min, convoy.max) for name, convoy in config.convoys.items()},
            source=config.source,
            schedules=config.schedules,
            rules=config.alerts.rules.keys(),
            sinks={name: recipient(name, sink) for name, sink in config.alerts.sinks.items()},
            clock=self.clock,
        )

    def _make_doors(self, home: Path, config: SquadConfig) -> Doors:
        doors = Doors(home, config, Outside(self._api, home, config, self.pool, self.clock).make)
        self._api.serve_outside(doors)
        return doors

    # -- the HTTP thread --------------------------------------------------------------------------------------------

    def _serve(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._run_server(listener))
        except BaseException:
            logs.logger("gateway").exception("the HTTP thread failed")
        finally:
            self.post(self._server_ended)

    async def _run_server(self, listener: socket.socket) -> None:
        self._bridge.open()
        self._doors.open_configured()
        self._doors.open_again()
        # It listens already: whoever connects before the loop turns is kept in the kernel's queue.
        self.post(lambda: self.tell(self._supervisor, Report(self._worker, "idle")))
        await serve(self._api.app(), listener, SameUser)

    def _server_ended(self) -> NoReturn:
        raise RuntimeError("the HTTP thread has ended, and nobody can come in")

    # -- what the other actors say ----------------------------------------------------------------------------------

    @receives(StorageAt)
    def on_storage_at(self, msg: StorageAt, sender: Address) -> None:
        self._bridge.storage_at(msg.address)

    @receives(SubmitDone)
    def on_submit_done(self, msg: SubmitDone, sender: Address) -> None:
        self._bridge.submit_done(msg)
        self._maybe_drained()

    @receives(Watched)
    def on_watched(self, msg: Watched, sender: Address) -> None:
        self._bridge.watched(msg.request)

    @receives(Tree, Reply, Attended, Cancelled, DeskDone, HoldDone, MaintainDone, Explained, Doing)
    def on_answer(
        self,
        msg: Tree | Reply | Attended | Cancelled | DeskDone | HoldDone | MaintainDone | Explained | Doing,
        sender: Address,
    ) -> None:
        self._bridge.answer(msg.request, msg)

    @receives(Held)
    def on_held(self, msg: Held, sender: Address) -> None:
        self._api.holding.holds = Holds.read(msg.holds)

    @receives(Configured)
    def on_configured(self, msg: Configured, sender: Address) -> None:
        """A reload after which this gateway goes on: the dashboard shows the configuration as it is now."""
        outside = Outside(self._api, self._home, msg.config, self.pool, self.clock)
        self._bridge.soon(lambda: self._doors.renew(outside.make))

    @receives(Ping)
    def on_ping(self, msg: Ping, sender: Address) -> None:
        """Answered by way of the HTTP thread: a gateway whose event loop is stuck is hung, though its actor is not."""
        self._bridge.echo(lambda: self.tell(sender, Pong(msg.number, self._worker)))

    @receives(Drain)
    def on_drain(self, msg: Drain, sender: Address) -> None:
        """Take no new messages; Drained follows when all that were taken are committed."""
        self._draining = self._api.closing = True
        self._maybe_drained()

    def _maybe_drained(self) -> None:
        if self._draining and self._bridge.quiet:
            remove(self._home)
            # The supervisor ends this process when it hears that. An answer that came just before the order to drain
            # is written by the HTTP thread a turn of its loop later: let it have two.
            self._bridge.echo(lambda: self._bridge.echo(lambda: self.tell(self._supervisor, Drained(self._worker))))

    def on_timer(self, token: Any) -> None:
        self._bridge.repeat()
        if self._doors.shut:
            self._bridge.soon(self._doors.open_configured)
        self.after(REPEAT_AFTER, token)


def catalogue_of(config: SquadConfig) -> Catalogue:
    """What the configured agents handle. One whose class does not import (any more) closes its own mailbox only."""
    handled: dict[str, Mapping[str, MessageType]] = {}
    broken: dict[str, str] = {}
    for name in config.recipients:
        try:
            handled[name] = handled_types(agent_class(config, name))
        except ConfigError as error:
            logs.logger("gateway").error("%s cannot take messages: %s", name, error)
            broken[name] = error.message.splitlines()[0]
    return Catalogue(handled, broken)


class _Database:
    """The Reads of the HTTP side."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def exists(self, task_id: str) -> bool:
        with self._pool.connection() as database:
            return any(kept.select().where(kept.task_id == task_id).exists(database) for kept in (Task, ArchivedTask))

    def meant_for(self, task_id: str) -> tuple[str, str] | None:
        with self._pool.connection() as database:
            query = Task.select(Task.recipient, Task.type).where(Task.task_id == task_id).tuples()
            return next(iter(query.execute(database)), None)

    def pool(self) -> dict[str, int]:
        return asdict(self._pool.stats())

    def queue_depths(self) -> dict[str, int]:
        with self._pool.connection() as database:
            return {depth.agent: depth.queued for depth in queries.queue_depth(database)}

    def counted(self) -> Counted:
        with self._pool.connection() as database, database.atomic():
            depths = {depth.agent: depth.queued for depth in queries.queue_depth(database)}
            return depths, queries.totals(database), metrics.known(database)

    def ask(self, question: Callable[[Database], Any]) -> Any:
        with self._pool.connection() as database:
            return question(database)

    def keeper(self) -> dict[str, str]:
        with self._pool.connection() as database:
            return {key: kept.value for key, kept in queries.keeper(database).items()}

    def waiting(self, task_id: str, now: float) -> waiting.Waiting:
        with self._pool.connection() as database:
            return waiting.look(database, task_id, now)
