"""Throw-away squads: started as a user starts one, in a temporary folder, and gone afterwards whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from squad.benchmark.agents import METRONOME
from squad.benchmark.moments import Moments
from squad.client import Client
from squad.errors import SquadError, StartError
from squad.home import Home
from squad.store.database import Pool, open_reader

T = TypeVar("T")

_MAILBOX = 10_000_000  # messages: a flood is what is measured
_FINEST = 0.001  # seconds between two looks at a condition
_START_LIMIT = 120.0  # seconds until every agent is ready
_STOP_LIMIT = 60.0
_LAST_WORDS = 2000  # characters of what the launcher wrote
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class ThrowAway:
    """One squad. Leaving the ``with`` block ends it at once, and removes all that it wrote.

    ``client`` and ``pool`` are there once it is ready, and so is ``moments``, what its agents record.
    """

    client: Client
    pool: Pool

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.moments = Moments(folder / "moments")
        self.ready_after = 0.0  # seconds from the command until every agent was ready
        self._config = folder / "squad.yaml"
        self._config.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        self._output = folder / "output"
        self._launcher: subprocess.Popen[bytes] | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._open.callback(self._end)
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def launcher(self) -> int:
        """Its process id."""
        assert self._launcher is not None  # noqa: S101 - it was started
        return self._launcher.pid

    def _start(self) -> None:
        self.moments.folder.mkdir()
        environment = {name: text for name, text in os.environ.items() if name not in ("SQUAD_HOME", "SQUAD_MARK")}
        began = time.monotonic()
        with self._output.open("wb") as output:
            self._launcher = subprocess.Popen(
                [sys.executable, "-m", "squad.cli", "--home", self.home.path, "start", "--config", self._config],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is ours alone
                # It stops when we are killed. There is one thread now, so this is safe.
                preexec_fn=partial(_libc.prctl, _PR_SET_PDEATHSIG, signal.SIGTERM),  # noqa: PLW1509
            )
        self.client = self._open.enter_context(Client(self.home))
        self.until(self._ready, "every agent to be ready", _START_LIMIT)
        self.ready_after = time.monotonic() - began
        self.pool = self._open.enter_context(open_reader(self.home.database))

    def _ready(self) -> bool:
        try:
            health = self.client.health()
        except SquadError:
            return False
        if health["failed"]:
            failed = health["failed"][0]
            raise StartError(f"the benchmark's agent {failed['name']} cannot start: {failed['error']}")
        return bool(health["ready"])

    def until(self, condition: Callable[[], T], what: str, seconds: float, *, every: float = 0.02) -> T:
        """The first true value of ``condition()``, asked every so many seconds, and more often at the beginning.

        Raises StartError when ``seconds`` were not enough or the squad has ended.
        """
        began = time.monotonic()
        while not (value := condition()):
            if self._launcher is not None and self._launcher.poll() is not None:
                raise StartError(f"the benchmark's squad has ended by itself:\n{self._words()}")
            passed = time.monotonic() - began
            if passed > seconds:
                raise StartError(
                    f"the benchmark gave up: {seconds:g} s were not enough for {what}\n{self._words()}".rstrip(),
                    hint="is the machine busy with something else? fewer --agents or --messages take less time",
                )
            time.sleep(min(every, max(_FINEST, passed / 100)))
        return value

    def _words(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:]

    def _end(self) -> None:
        """At once: nothing of it is kept. A second Ctrl-C does not keep it from ending."""
        from squad import launcher

        if self._launcher is None:
            return
        with _undisturbed():
            with contextlib.suppress(SquadError):  # it has ended, or never came so far as to hold its home
                launcher.stop(self.home.path, force=True, timeout=_STOP_LIMIT)
            if self._launcher.poll() is None:
                self._launcher.kill()
            self._launcher.wait()


@contextlib.contextmanager
def squad_of(
    agents: int,
    folder: Path | None,
    synchronous: str = "FULL",
    *,
    metronome: bool = False,
    sections: Mapping[str, Any] | None = None,
) -> Iterator[ThrowAway]:
    """A squad of agents ``a0``, ``a1``, … in a temporary folder below ``folder``; ready.

    ``sections`` replace those of the configuration. Raises StartError.
    """
    with temporary(folder) as place:
        options = {"agents": agents, "moments": str(place / "moments")}
        common = {"options": options, "send_rate": "none", "queue": {"limit": _MAILBOX}}
        listed = {f"a{n}": {"class": "squad.benchmark.agents:Worker", **common} for n in range(agents)}
        if metronome:
            listed[METRONOME] = {"class": "squad.benchmark.agents:Metronome", **common}
        config = {"name": "benchmark", "agents": listed, "store": {"synchronous": synchronous}}
        with ThrowAway({**config, **(sections or {})}, place) as squad:
            yield squad


@contextlib.contextmanager
def temporary(folder: Path | None) -> Iterator[Path]:
    """A folder below ``folder`` (None: where temporary files go) that is removed afterwards. Raises StartError."""
    try:
        place = tempfile.TemporaryDirectory(prefix="squad-benchmark-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        where = folder or tempfile.gettempdir()
        raise StartError(
            f"no folder can be made in {where}: {error.strerror}",
            hint="name another one for the benchmark's squads: --folder DIR",
        ) from None
    try:
        yield Path(place.name).resolve()
    finally:
        with _undisturbed():
            place.cleanup()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C has no effect in here."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
