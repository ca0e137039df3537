"""Commands that go on until Ctrl-C, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from squad.home import Home


class Following:
    """``squad ARGS`` in the folder of the home; ``lines`` grows as it prints."""

    def __init__(self, home: Home, *args: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "squad.cli", *args],
            cwd=home.path.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append(line)

    @property
    def documents(self) -> list[dict[str, Any]]:
        """What it printed, if that is JSON."""
        return [json.loads(line) for line in list(self.lines)]

    @property
    def waits(self) -> bool:
        """Whether it has shown what was there and has come to a pause."""
        return "poll" in Path(f"/proc/{self.process.pid}/wchan").read_text(encoding="ascii")

    def end(self, sig: signal.Signals | None = signal.SIGINT) -> tuple[int, str]:
        """Send it that signal and wait for its end: its exit status, and what it said on standard error."""
        assert self.process.stderr is not None
        if sig is not None:
            self.process.send_signal(sig)
        with self.process.stderr:
            said = self.process.stderr.read()
        self._reader.join(60)
        return self.process.wait(60), said
