"""The exporter: sends finished messages away as traces, to each receiver that the configuration names.

It only reads the store, has no part in a message's way, and nobody waits for it: whether it is late, in trouble or dead
is nothing to the squad. All that it remembers is how far it is with each receiver, in one row of the keeper table.
"""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from squad.actors import logs
from squad.actors.base import Actor, receives
from squad.actors.exporting import marks
from squad.actors.exporting.courier import Courier, Place, Sender, back_to
from squad.actors.exporting.marks import Mark
from squad.actors.protocol import Address, Begin, Drain, Drained, Ping, Pong, Record, Report, Started, StorageAt
from squad.config.credentials import headers
from squad.config.exporters import ExporterConfig
from squad.errors import StoreError
from squad.store.database import open_reader
from squad.store.finished import KEY
from squad.store.queries import keeper

_NICENESS = 10  # it is for afterwards: whoever has something to do now goes first
_EARLIER = 1.0  # seconds before its process was made that a new exporter begins: that time is rounded
_READ_AGAIN = 1.0  # seconds until a database that could not be read is tried again
_FAREWELL = 2.0  # seconds to send the last while the squad stops


class Exporter(Actor):
    """See the module. There is one exactly while the configuration has exporters."""

    def __init__(self) -> None:
        super().__init__()
        self._couriers: dict[str, Courier] = {}
        self._marks: dict[str, Mark] = {}
        self._trouble: dict[str, str] = {}  # by exporter
        self._sending: set[str] = set()  # exporters with a courier at work
        self._stopping = False
        self._drained = False

    @receives(Begin)
    def on_begin(self, msg: Begin, sender: Address) -> None:
        self._supervisor, self._worker, self._config = sender, msg.worker, msg.config
        self._storage = msg.storage
        self._home = Path(msg.home)
        self.set_title("exporter")
        self.log_to(self._home, "exporter", msg.config.logging)
        self._log = logs.logger("exporter")
        os.nice(_NICENESS)
        self._began = psutil.Process().create_time() - _EARLIER
        self.tell(sender, Started(self._worker))
        self._take_up()

    def _take_up(self) -> None:
        """Go on from what is kept of each exporter, also of those that are not configured now."""
        if self._stopping:
            return
        try:
            with open_reader(self._home / "squad.db") as pool, pool.connection() as database:
                kept = keeper(database).get(KEY)
        except StoreError as error:
            self._log.warning("cannot read how far everything was sent: %s", error)
            self.after(_READ_AGAIN, "take up")
            return
        self._marks = marks.read(None if kept is None else kept.value)
        again = back_to(kept, self.clock.time())
        for name, settings in self._config.exporters.items():
            courier = Courier(
                Place(name, settings, self._config.name, self._home, self._began, again),
                lambda settings=settings: self.make_receiver(settings),  # type: ignore[misc]
                moved=lambda name, mark: self.post(lambda: self._moved(name, mark)),
                trouble=lambda name, wrong: self.post(lambda: self._troubled(name, wrong)),
                done=lambda name: self.post(lambda: self._has_ended(name)),
                log=self._log,
                clock=self.clock,
            )
            self._couriers[name] = courier
            self._sending.add(name)
            courier.start()
        self._report()

    def make_receiver(self, settings: ExporterConfig) -> Sender:
        """On a courier's thread. OpenTelemetry is loaded there, so that nobody waits for that either."""
        from squad.actors.exporting.receiver import Receiver

        return Receiver(
            settings.address,
            headers(settings, os.environ),
            settings.timeout,
            self._config.name,
            metadata.version("squad-runtime"),
        )

    def _moved(self, name: str, mark: Mark) -> None:
        """Have it kept. Nobody answers: should it be lost, the next one says more."""
        self._marks[name] = mark
        self._keep()

    def _keep(self) -> None:
        if self._marks:
            self.tell(self._storage, Record(put=((KEY, marks.text(self._marks, self._couriers)),)))

    def _troubled(self, name: str, wrong: str) -> None:
        self._trouble[name] = wrong
        self._report()

    def _report(self) -> None:
        wrong = "; ".join(f"{name}: {what}" for name, what in self._trouble.items() if what)
        self.tell(self._supervisor, Report(self._worker, "behind" if wrong else "ready", last_error=wrong))

    def on_timer(self, token: Any) -> None:
        if token == "take up":  # noqa: S105 - the name of a timer
            self._take_up()
        else:
            self._end()

    @receives(StorageAt)
    def on_storage_at(self, msg: StorageAt, sender: Address) -> None:
        """What the storage before this one may not have committed is said again."""
        self._storage = msg.address
        self._keep()

    @receives(Ping)
    def on_ping(self, msg: Ping, sender: Address) -> None:
        self.tell(sender, Pong(msg.number, self._worker))

    @receives(Drain)
    def on_drain(self, msg: Drain, sender: Address) -> None:
        """Send what is there, for a moment. What is left is sent after the next start."""
        if self._stopping:
            return
        self._stopping = True
        for courier in self._couriers.values():
            courier.stop()
        if self._sending:
            self.after(_FAREWELL, "farewell")
        else:
            self._end()

    def _has_ended(self, name: str) -> None:
        self._sending.discard(name)
        if not self._sending:
            self._end()

    def _end(self) -> None:
        """All is sent, or there is no more time."""
        for courier in self._couriers.values():
            courier.give_up()
        if not self._drained:
            self._drained = True
            self.tell(self._supervisor, Drained(self._worker))
