"""A squad in the test's own process, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from squad.batches import Sending
from squad.client import Client
from squad.config.schema import AgentConfig, SquadConfig
from squad.config.types import TypeConfig
from squad.durations import parse_duration
from squad.home import Home
from squad.store.database import open_reader
from squad.testing.squad import Squad, as_datetime
from squad.testing.stage import Stage
from squad.testing.supervising import StagedSupervisor
from squad.wire import Request

T = TypeVar("T")

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_AGENTS = ("agents", "convoys", "types")


class InProcessSquad(Squad):
    """``start`` in seconds since the epoch; ``patience`` in seconds of real time for one handler."""

    def __init__(self, config: SquadConfig, *, raise_errors: bool, start: float, patience: float) -> None:
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(_restore_path, list(sys.path))
            memory = str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None
            home = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="squad-", dir=memory)))
            super().__init__(_without_chance(config), raise_errors=raise_errors)
            self._stage = Stage(start, patience)
            self._supervisor = StagedSupervisor(self._stage, home, self.config)
            cleanup.callback(self._supervisor.close)
            self._supervisor.start()
            self._loop = asyncio.Runner()
            cleanup.callback(_beside_loops, self._loop.close)
            self.client = _InProcessClient(Home(home), self)
            self._pool = cleanup.enter_context(open_reader(home / "squad.db"))
            self._cleanup = cleanup.pop_all()

    @property
    def now(self) -> datetime:
        return as_datetime(self._stage.clock.time())

    def advance(self, time: float | str) -> None:
        seconds = parse_duration(time)
        with self._working():
            self._stage.advance(seconds)
        self._look_for_errors()

    def set_clock(self, by: float | str) -> None:
        self._stage.clock.set_by(_signed(by))
        with self._working():
            self._supervisor.clock_was_set()
            self._stage.run()
        self._look_for_errors()

    def crash(self, name: str) -> None:
        self._supervisor.crash(name)
        self._stage.pump()
        self._supervisor.check()

    def _run(self) -> None:
        with self._working():
            self._stage.run()

    def _write_metrics(self) -> None:
        self._supervisor.storage.broker.write_metrics()

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        broker = self._supervisor.storage.broker
        broker.open = True
        self._stage.soon(broker.turn)
        try:
            yield
        finally:
            broker.open = False
        self._supervisor.check()

    def exchange(self, method: str, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        """What the gateway answers to one request: status and body."""
        gateway = self._supervisor.gateway
        return _beside_loops(lambda: self._loop.run(gateway.exchange(method, path, body, content_type)))


class _SendingAtOnce(Sending):
    """Without a thread: all that is asked here is asked on the test's own."""

    def _begin(self, run: Callable[[], None]) -> None:
        run()

    def join(self) -> None:
        """It is done."""


class _InProcessClient(Client):
    """Asks the gateway's routes themselves instead of a socket."""

    _sending = _SendingAtOnce

    def __init__(self, home: Home, squad: InProcessSquad) -> None:
        super().__init__(home)
        self._squad = squad

    def _exchange(self, request: Request, timeout: float) -> tuple[int, bytes]:
        if request.gate is not None:
            request.gate()
        return self._squad.exchange(request.method, request.path, request.body or b"", request.content_type)


def _signed(by: float | str) -> float:
    """Seconds from ``-3600``, ``"1h"`` or ``"-1h"``. Raises ValueError for anything else."""
    text = str(by).strip()
    seconds = parse_duration(text.lstrip("+-"))
    return -seconds if text.startswith("-") else seconds


def _without_chance(config: SquadConfig) -> SquadConfig:
    """The same, with no random part in the waits between attempts."""
    steady = {}
    for group in _AGENTS:
        steady[group] = {name: _steadied(one) for name, one in getattr(config, group).items()}
    return config.model_copy(update=steady)


def _steadied(one: AgentConfig | TypeConfig) -> AgentConfig | TypeConfig:
    if one.retry is None:
        return one
    return one.model_copy(update={"retry": one.retry.model_copy(update={"jitter": 0.0})})


def _beside_loops(call: Callable[[], T]) -> T:
    """The test itself may run on an event loop, and loops do not nest."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()


def _restore_path(path: list[str]) -> None:
    sys.path[:] = path
