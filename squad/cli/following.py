"""What ``-f`` does between two looks."""

from __future__ import annotations

import contextlib
import io
import select
import sys

EVERY = 0.25  # seconds between two looks


class Pauses:
    """Waits between two looks, and notices at once when whoever reads the output has gone: ``squad logs -f | head``."""

    def __init__(self) -> None:
        self._poll = select.poll()
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            self._poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups only

    def wait(self) -> None:
        """Hand over what was printed, and wait. Raises BrokenPipeError when nobody reads any more."""
        sys.stdout.flush()
        if self._poll.poll(EVERY * 1000):
            raise BrokenPipeError
