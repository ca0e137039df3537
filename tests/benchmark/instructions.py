"""How many instructions processes carry out: unlike time, the same on a busy machine as on an idle one."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self


class Instructions:
    """Those of ``processes`` (ids) while the ``with`` block runs, the kernel's left out; then ``count`` is there.

    Needs Linux's ``perf``, and a machine that lets this user count. Raises RuntimeError where one of them is missing.
    """

    count: int

    def __init__(self, processes: Iterable[int]) -> None:
        self._processes = ",".join(map(str, processes))
        self._open = ExitStack()

    def __enter__(self) -> Self:
        perf = shutil.which("perf")
        if perf is None:
            raise RuntimeError("there is no program `perf` on this machine (Debian: apt-get install linux-perf)")
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="squad-perf-")))
        orders, answers = folder / "orders", folder / "answers"
        os.mkfifo(orders)
        os.mkfifo(answers)
        counting = ["-e", "instructions:u", "-x,", "-p", self._processes]
        self._perf = subprocess.Popen(
            [perf, "stat", *counting, "-D", "-1", "--control", f"fifo:{orders},{answers}"],
            stderr=subprocess.PIPE,
            text=True,
        )
        # For reading and writing, so that opening them does not wait for a perf that has ended with an error.
        self._orders, self._answers = (os.open(path, os.O_RDWR) for path in (orders, answers))
        self._open.callback(os.close, self._orders)
        self._open.callback(os.close, self._answers)
        self._say("enable")
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            self._say("disable")
            self._perf.send_signal(signal.SIGINT)
            _, said = self._perf.communicate()
            found = re.search(r"^(\d+),", said, re.MULTILINE)
            if found is None:
                raise RuntimeError(f"perf counted nothing: {said.strip()}")
            self.count = int(found[1])

    def _say(self, order: str) -> None:
        """Returns when it is done."""
        os.write(self._orders, f"{order}\n".encode())
        while not select.select([self._answers], [], [], 0.1)[0]:
            if self._perf.poll() is not None:
                raise RuntimeError(f"perf ended: {self._perf.communicate()[1].strip()}")
        os.read(self._answers, 100)
