"""A squad of one's own on this machine, for a while: in a temporary folder, started again when its launcher dies.

It dies with the process that made it, whatever ends that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from squad.client import Client
from squad.errors import Exit, SquadError, StartError, WaitTimeoutError
from squad.home import Home
from squad.verify.targets import ALL, Targets, alive

T = TypeVar("T")

POLL = 0.01  # seconds between two looks at a condition
_READY = 60.0  # seconds for all agents to be ready
_STOPS = 60.0  # seconds for a stop in good order
_GONE = 5.0  # seconds for processes to be gone once their launcher is
_LAST_WORDS = 3000  # characters of what the launcher wrote
_LAST_LINES = 500  # characters in which it says why it gave up
_GAVE_UP = ("did not start", "ended at once")
_GIVES_UP = 5  # starts in a row that may fail because a root was killed meanwhile

# The launcher's death follows from ours: the signal that the kernel sends for it survives ``exec``.
_TIED = """
import sys
from squad.actors.transport.processes import die_with
die_with(int(sys.argv.pop(1)))
from squad.cli import main
main()
"""


class Throwaway:
    """``folder`` holds its home, its configuration and what it writes. For the main thread."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.folder = folder
        self.home = Home((folder / "home").resolve())
        self.starts = 0
        self._file = folder / "squad.yaml"
        self._file.write_text(configuration, encoding="utf-8")
        self._words = folder / "output"
        self._launcher: subprocess.Popen[bytes] | None = None
        self._given_up = 0  # starts in a row
        self.client = Client(self.home, timeout=5.0, patience=0.0)

    def __enter__(self) -> Self:
        try:
            self.start()
            self.until_ready()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()

    def start(self) -> None:
        """Start it as a user does, without waiting for anything."""
        environment = {name: text for name, text in os.environ.items() if name not in ("SQUAD_HOME", "SQUAD_MARK")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        arguments = [str(os.getpid()), "--home", str(self.home.path), "start", "--config", str(self._file)]
        with self._words.open("ab") as output:
            self._launcher = subprocess.Popen(
                [sys.executable, "-c", _TIED, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )
        self.starts += 1

    def status(self) -> int | None:
        """The launcher's exit status, None while it lives."""
        return None if self._launcher is None else self._launcher.poll()

    def revive(self) -> bool:
        """Start it again if its launcher was killed. Raises StartError when that ended by itself.

        A launcher whose very first tree is killed while it starts gives up and says so: it is started again as well, a
        few times in a row.
        """
        status = self.status()
        if status is None:
            return False
        gave_up = status == Exit.FAILED and any(text in self.words()[-_LAST_LINES:] for text in _GAVE_UP)
        self._given_up = self._given_up + 1 if gave_up else 0
        if status != -signal.SIGKILL and not 0 < self._given_up <= _GIVES_UP:
            raise StartError(f"the launcher ended with status {status}: {self.words()}")
        self.start()
        return True

    def words(self) -> str:
        """The last that the launcher wrote."""
        return self._words.read_text(errors="replace")[-_LAST_WORDS:] if self._words.exists() else ""

    # -- waiting ----------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        try:
            return bool(self.client.health()["ready"])
        except SquadError:
            return False

    def until_ready(self) -> None:
        """Raises WaitTimeoutError, StartError."""
        self.until(self.ready, "every agent to be ready", _READY)

    def until(self, condition: Callable[[], T], what: str, seconds: float) -> T:
        """The first true value. The launcher is started again meanwhile if it was killed. Raises WaitTimeoutError."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            self.revive()
            if time.monotonic() > deadline:
                raise WaitTimeoutError(f"{seconds:g} s were not enough for {what}: {self.words()}")
            time.sleep(POLL)
        return value

    # -- the end ----------------------------------------------------------------------------------------------------

    def stop(self) -> list[str]:
        """Stop it in good order; what is wrong with how it ended, in sentences."""
        assert self._launcher is not None  # noqa: S101 - it was started
        self._launcher.terminate()
        try:
            status = self._launcher.wait(_STOPS)
        except subprocess.TimeoutExpired:
            return [f"the squad did not stop within {_STOPS:g} s: {alive(self.home.path)}"]
        found = [f"the squad stopped with status {status}: {self.words()}"] if status else []
        return found + self.left()

    def left(self) -> list[str]:
        """What is left of it although it does not run any more, in sentences."""
        found = []
        deadline = time.monotonic() + _GONE
        while (processes := alive(self.home.path)) and time.monotonic() < deadline:
            time.sleep(POLL)
        if processes:
            found.append(f"processes were left: {', '.join(f'{name} ({pid})' for pid, name in processes.items())}")
        if self.home.launcher() is not None:
            found.append("the lock of its home is held")
        if self.home.socket().exists():
            found.append(f"its socket {self.home.socket()} was left")
        return found

    def end(self) -> None:
        """End whatever is there, at once."""
        self.client.close()
        while True:
            with Targets(self.home.path, ALL) as found:
                if self._launcher is not None and self._launcher.poll() is None:
                    self._launcher.kill()
                for target in found:
                    target.hit(signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self._launcher is not None:
                    self._launcher.wait(_GONE)
            if not found:
                return
            time.sleep(POLL)
