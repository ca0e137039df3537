"""Running a command on a terminal of its own, as a person sees it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from rich.text import Text

_JOB = """\
import subprocess, sys
sys.exit(subprocess.call([sys.executable, "-m", "squad.cli", *sys.argv[1:]], process_group=0))
"""


class OnTerminal:
    """``squad ARGS`` on a terminal of so many columns. ``screen`` is all that it wrote so far, escapes included."""

    def __init__(
        self, *args: str, cwd: Path, columns: int = 80, rows: int = 24, below: bool = False, **env: str
    ) -> None:
        """``below``: as the child of ``process``, in a process group of its own, as a shell starts its jobs."""
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        unset = ("NO_COLOR", "COLUMNS", "LINES")
        inherited = {key: value for key, value in os.environ.items() if key not in unset}
        self.process = subprocess.Popen(
            [sys.executable, *(["-c", _JOB] if below else ["-m", "squad.cli"]), *args],
            cwd=cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=inherited | {"TERM": "xterm-256color"} | env,
            start_new_session=True,
        )
        os.close(theirs)
        self.screen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a character may come in two parts

    def read_until(self, condition: Callable[[str], bool], timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition(self.screen):
            assert time.monotonic() < deadline, f"not seen within {timeout:g} s: {self.screen!r}"
            if not self._read():
                assert condition(self.screen), f"ended without it: {self.screen!r}"

    def type(self, text: str) -> None:
        """As if somebody typed it; ``\x04`` is Ctrl-D."""
        os.write(self._mine, text.encode())

    def set_size(self, columns: int, rows: int) -> None:
        """As if the window were drawn to another size."""
        fcntl.ioctl(self._mine, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)  # the terminal is nobody's controlling one, so nobody else does

    def hang_up(self) -> None:
        """As if the window were closed."""
        os.close(self._mine)

    def end(self) -> None:
        """However far it is."""
        self.process.kill()
        self.process.wait(60)

    def finish(self, *, close: bool = True) -> int:
        """Read to its end; the exit status."""
        while self._read():
            pass
        if close:
            os.close(self._mine)
        return self.process.wait(60)

    def _read(self) -> bool:
        ended = self.process.poll() is not None  # looked at first: what it wrote before its end is still read
        if not select.select([self._mine], [], [], 0.2)[0]:
            return not ended
        try:
            data = os.read(self._mine, 65536)
        except OSError:  # the other end is closed
            return False
        self.screen += self._decoder.decode(data)
        return bool(data)


def on_terminal(*args: str, cwd: Path, columns: int = 80, **env: str) -> tuple[int, str]:
    """The exit status and what was written, line ends as in files."""
    terminal = OnTerminal(*args, cwd=cwd, columns=columns, **env)
    status = terminal.finish()
    return status, terminal.screen.replace("\r\n", "\n")


def plain(screen: str) -> str:
    """What is on the screen without colours."""
    return Text.from_ansi(screen).plain
