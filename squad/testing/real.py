"""A squad of real processes in a temporary home, for the same tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from squad.client import Client
from squad.config.schema import SquadConfig
from squad.durations import parse_duration
from squad.errors import SquadError
from squad.home import Home
from squad.store import waiting
from squad.store.database import open_reader
from squad.store.models import Task
from squad.testing.failures import HandlerError, StuckError
from squad.testing.squad import Squad, as_datetime

_POLL = 0.01  # seconds between two looks
_LONGEST = 60.0  # seconds that ``advance`` waits in reality
_START_LIMIT = 60.0  # seconds until every agent is ready
_STOP_LIMIT = 40.0  # seconds; longer than an agent's default time to end
_LAST_WORDS = 2000  # characters of what the launcher wrote


class RealSquad(Squad):
    """Started as ``squad start --config FILE`` does it. ``patience``: seconds for one ``run``."""

    def __init__(self, config: SquadConfig, file: Path, *, raise_errors: bool, patience: float) -> None:
        super().__init__(config, raise_errors=raise_errors)
        self._patience = patience
        with contextlib.ExitStack() as cleanup:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="squad-")))
            self._home = Home(folder / "home")
            self._words = folder / "output"
            self._launcher = self._launch(file)
            cleanup.callback(self._stop)
            self.client = cleanup.enter_context(Client(self._home))
            self._until(self._ready, "the squad to be ready", _START_LIMIT)
            self._pool = cleanup.enter_context(open_reader(self._home.database))
            self._cleanup = cleanup.pop_all()

    def _launch(self, file: Path) -> subprocess.Popen[bytes]:
        environment = {name: text for name, text in os.environ.items() if name not in ("SQUAD_HOME", "SQUAD_MARK")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # what the test can import, its agents can
        with self._words.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "squad.cli", "--home", str(self._home.path), "start", "--config", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def now(self) -> datetime:
        return as_datetime(time.time())

    def advance(self, time: float | str) -> None:
        seconds = parse_duration(time)
        if seconds > _LONGEST:
            raise ValueError(
                f"a real squad's clock cannot be moved: advance() would wait for {seconds:g} s. Make the times in its "
                "configuration shorter, or test this in process"
            )
        _pause(seconds)
        self.run()

    def set_clock(self, by: float | str) -> None:
        raise ValueError("a real squad's clock is the machine's, which no test can set: test this in process")

    def crash(self, name: str) -> None:
        rows = self.client.tree()["actors"]
        found = [row["pid"] for row in rows if row["pid"] and name in (row["name"], row["parent"])]
        if not found:
            raise KeyError(f"there is no agent {name!r} with a process")
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        self._until(self._ready, f"{name} to be back", _START_LIMIT)

    def _run(self) -> None:
        self._until(self._idle, "its messages to be handled", self._patience)

    def _idle(self) -> bool:
        """Nothing runs, and nothing that is queued could begin now."""
        ready = (Task.status == "queued") & (Task.not_before.is_null() | (Task.not_before <= time.time()))
        with self._pool.connection() as database:
            holds = waiting.holds(database)
            if holds.frozen is not None:
                ready = Task.id.is_null()  # none
            elif holds.paused:
                ready &= Task.recipient.not_in(list(holds.paused))
            return not Task.select().where(ready | (Task.status == "running")).exists(database)

    def _ready(self) -> bool:
        try:
            health = self.client.health()
        except SquadError:
            return False
        if health["failed"]:
            raise HandlerError("\n".join(f"{f['name']} cannot start: {f['error']}" for f in health["failed"]))
        return bool(health["ready"])

    def _until(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self._launcher.poll() is not None:
                words = self._words.read_text(errors="replace")[-_LAST_WORDS:]
                raise StuckError(f"the squad has ended with status {self._launcher.returncode}:\n{words}")
            if time.monotonic() > deadline:
                raise StuckError(f"{seconds:g} s were not enough for {what}; patience= gives it longer")
            _pause(_POLL)

    def _stop(self) -> None:
        self._launcher.terminate()
        try:
            self._launcher.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._launcher.kill()
            self._launcher.wait()


def _pause(seconds: float) -> None:
    time.sleep(seconds)
