"""A terminal that is taken over for a while: the alternate screen, every key at once, and all as before at the end.

The terminal is given back however the program ends, except by ``kill -9``: at the end of ``with``, and while the
program is suspended by Ctrl-Z.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Self

from squad.cli.top.keys import Keys

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

_ALONE = 0.05  # seconds after which an ESC by itself was the key of that name
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Screen:
    """``with Screen(console) as screen:``. Only in the main thread; ``wake`` is for any."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._input = sys.stdin.fileno()
        self._keys = Keys()
        self._ended: int | None = None
        self._suspend = False

    def __enter__(self) -> Self:
        self._wakes, self._woken = os.pipe()
        os.set_blocking(self._wakes, False)
        os.set_blocking(self._woken, False)
        self._handlers = {sig: signal.getsignal(sig) for sig in (*_ENDING, signal.SIGWINCH, signal.SIGTSTP)}
        for sig in self._handlers:
            signal.signal(sig, self._on_signal)
        self._old_wakeup = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        # Signals are still only noted: a second Ctrl-C does not keep the terminal from being given back.
        self._give_back()
        signal.set_wakeup_fd(self._old_wakeup)
        for sig, handler in self._handlers.items():
            signal.signal(sig, handler)
        os.close(self._wakes)
        os.close(self._woken)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now."""
        size = self._console.size
        return size.width, size.height

    @property
    def ended(self) -> int | None:
        """The signal that told the program to end; None so far. SIGHUP too when the terminal is gone."""
        return self._ended

    def draw(self, lines: Sequence[Text]) -> None:
        from rich.console import Group

        with self._unless_gone():
            self._live.update(Group(*lines), refresh=True)

    def wake(self) -> None:
        """Have ``wait`` return now."""
        with contextlib.suppress(BlockingIOError):  # it is awake anyway
            os.write(self._woken, b"\0")

    def wait(self, seconds: float) -> list[str]:
        """Wait for keys, for a signal, for ``wake``, but no longer than that; the keys (see ``Keys``)."""
        until = time.monotonic() + seconds
        ready, _, _ = select.select([self._input, self._wakes], [], [], max(0.0, seconds))
        keys: list[str] = []
        if self._input in ready:
            keys = self._read()
            if not keys and not self._ended:  # perhaps ESC, perhaps the beginning of a longer sequence
                more, _, _ = select.select([self._input], [], [], max(0.0, min(_ALONE, until - time.monotonic())))
                keys = self._read() if more else self._keys.flush()
        if self._wakes in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakes, 4096)
        if self._suspend:
            self._stop_for_a_while()
        return keys

    def _read(self) -> list[str]:
        try:
            data = os.read(self._input, 1024)
        except OSError:  # the terminal was closed
            data = b""
        if not data:
            self._ended = signal.SIGHUP
        return self._keys.feed(data)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number in _ENDING:
            self._ended = number
        elif number == signal.SIGTSTP:
            self._suspend = True

    def _take(self) -> None:
        from rich.live import Live

        self._mode = termios.tcgetattr(self._input)
        tty.setcbreak(self._input, termios.TCSADRAIN)
        self._live: Live = Live(console=self._console, screen=True, auto_refresh=False)
        with self._unless_gone():
            self._live.start()

    def _give_back(self) -> None:
        with self._unless_gone():
            self._live.stop()
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._mode)

    def _stop_for_a_while(self) -> None:
        """What Ctrl-Z asks for; from here on again after ``fg``."""
        self._suspend = False
        self._give_back()
        mine = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, mine)
        self._take()

    @contextlib.contextmanager
    def _unless_gone(self) -> Iterator[None]:
        """A terminal that was closed takes no more: that is the end, and no error."""
        try:
            yield
        except OSError:
            self._ended = self._ended or signal.SIGHUP
