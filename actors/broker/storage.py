"""The storage actor: the only writer, and the broker of every mailbox.

Its loop only moves messages. Everything that touches SQLite happens on one writer thread, which takes whatever has
arrived, does it in one transaction, and answers after the commit (group commit): an acknowledgement means committed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

from squad.actors import logs
from squad.actors.base import Actor, receives
from squad.actors.broker.mailbox import Broker
from squad.actors.broker.rules import Rules, rules_of
from squad.actors.broker.trouble import DAMAGED, FAILING, name, refused, said
from squad.actors.protocol import (
    Address,
    Attend,
    Begin,
    Cancel,
    Configured,
    Desk,
    Drain,
    Drained,
    Evict,
    Held,
    Hold,
    Maintain,
    Ping,
    Pong,
    Ready,
    Record,
    Released,
    Report,
    Settle,
    Started,
    StartFailed,
    StorageReady,
    Submit,
    Throttle,
    Unwatch,
    Watch,
    convoy_key,
)
from squad.errors import DamagedError, StoreError
from squad.store.holds import KEY as HOLDS
from squad.store.lock import acquire
from squad.store.writer import Writer

_LOCK_WAIT = 5.0  # seconds for a predecessor's lock file to be let go
_LOCKED = 2000  # milliseconds of waiting for another program's lock before it is said that there is one
_AGAIN = 2.0  # seconds until a database that cannot be opened is tried again


class Storage(Actor):
    """See the module. Its messages: Submit, Ready, Settle, Released, Cancel, Desk, Hold, Attend, Watch, Unwatch,
    Record, Maintain."""

    def __init__(self) -> None:
        super().__init__()
        self._broker: Broker | None = None
        self._early: dict[Any, tuple[Any, Address]] = {}  # arrived before the database was open, by its name
        self._closed: StoreError | None = None  # why it cannot be opened

    @receives(Begin)
    def on_begin(self, msg: Begin, sender: Address) -> None:
        self._supervisor, self._worker = sender, msg.worker
        self._home = home = Path(msg.home)
        self.set_title("storage")
        self.log_to(home, "storage", msg.config.logging)
        # The writer gives the interpreter away at every statement, and gets it back only after this long.
        sys.setswitchinterval(0.0005)
        self.tell(sender, Started(self._worker))
        try:
            self._lock = acquire(home / "storage.lock", _LOCK_WAIT)
        except StoreError as error:
            logs.logger("storage").error("cannot start: %s %s", error, error.hint)
            self.tell(sender, StartFailed(self._worker, f"{error} {error.hint}".strip()))
            return
        self._begin = msg
        self._open()

    def _open(self) -> None:
        """Open the database and begin to serve. While that cannot be it is tried again, unless it is damaged."""
        msg = self._begin
        settings = msg.config.store
        patient = settings.model_copy(update={"busy_timeout": min(settings.busy_timeout, _LOCKED)})
        writer = None
        try:
            writer = Writer(self._home / "squad.db", patient)
            broker = self.make_broker(writer, rules_of(msg.config))
            broker.recover(msg.extra.get("alive"), msg.extra.get("in_hand", {}))
            kept = {
                key: text for name in msg.config.convoys if (text := writer.get(key := convoy_key(name))) is not None
            }
            if (holds := writer.get(HOLDS)) is not None:
                kept[HOLDS] = holds
        except StoreError as error:
            if writer is not None:
                writer.close()
            self._cannot_open(error)
            return
        self._closed = None
        self._broker = broker
        broker.start()
        for early in self._early.values():
            broker.put(*early)
        self._early.clear()
        self.tell(self._supervisor, StorageReady(self._worker, kept))
        self._told("ready", "")

    def _cannot_open(self, error: StoreError) -> None:
        if self._closed is None or self._closed.message != error.message:
            logs.logger("storage").critical("cannot open the database: %s. %s", error, error.hint)
        self._closed = error
        damaged = isinstance(error, DamagedError)
        early, self._early = self._early, {}
        for msg, sender in early.values():
            self._keep(msg, sender, error)
        self._told(DAMAGED if damaged else FAILING, said(error))
        if not damaged:
            self.after(_AGAIN, "open")

    def on_timer(self, token: Any) -> None:
        if self._broker is None:
            self._open()

    def _told(self, state: str, error: str) -> None:
        """For any thread."""
        self.tell(self._supervisor, Report(self._worker, state, last_error=error))

    def make_broker(self, writer: Writer, rules: Rules) -> Broker:
        return Broker(
            writer,
            rules,
            send=self.tell,
            crashed=lambda: self.post(self._broker_crashed),
            evict=lambda worker, why: self.tell(self._supervisor, Evict(worker, why)),
            held=lambda holds: self.tell(self._supervisor, Held(holds.text())),
            told=self._told,
            clock=self.clock,
        )

    def _broker_crashed(self) -> NoReturn:
        raise RuntimeError("the writer's thread has ended, and nothing can be stored")

    @receives(Configured)
    def on_configured(self, msg: Configured, sender: Address) -> None:
        """The configuration was reloaded."""
        self._pass_on(rules_of(msg.config), sender)
        self.log_to(self._home, "storage", msg.logging)

    @receives(Submit, Ready, Settle, Released, Cancel, Throttle, Desk, Hold, Attend, Watch, Unwatch, Record, Maintain)
    def on_work(self, msg: Any, sender: Address) -> None:
        """Whatever is the broker's."""
        self._pass_on(msg, sender)

    def _pass_on(self, msg: Any, sender: Address) -> None:
        if self._broker is not None:
            self._broker.put(msg, sender)
        else:
            self._keep(msg, sender, self._closed)

    def _keep(self, msg: Any, sender: Address, closed: StoreError | None) -> None:
        """For when the database can be opened; what is said again under the same name once. It is refused where that
        can be, and dropped when it is hopeless: the next storage is told again."""
        if closed is not None and (refused(msg, sender, self.tell, closed) or isinstance(closed, DamagedError)):
            return
        self._early[name(msg)] = (msg, sender)

    @receives(Ping)
    def on_ping(self, msg: Ping, sender: Address) -> None:
        self.tell(sender, Pong(msg.number, self._worker))

    @receives(Drain)
    def on_drain(self, msg: Drain, sender: Address) -> None:
        """Commit what has arrived, close the database, answer Drained."""
        if self._broker is not None:
            self._broker.stop()
        self.tell(self._supervisor, Drained(self._worker))
