"""A squad whose storage kills itself at a commit point that the test names: ``python -m tests.faults.dying_storage``.

This does what ``squad start`` does, except that ``Writer.transaction`` is wrapped before anything is forked. Arguments:
the home, the configuration, and a file for orders, one a line. An order is ``before settle`` or ``after submit``; the
first transaction of that kind takes the order away (the last one: with the file) and dies, just before its commit or
just after it. With ``all`` at the end of the order the launcher dies first, and everything with it.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from squad.actors.agents.recipients import recipients
from squad.config.load import load
from squad.home import Home
from squad.launcher import lock, processes, remains
from squad.launcher.plan import Plan
from squad.launcher.running import Launcher
from squad.store.writer import Writer

# A transaction is of a kind when one of its statements, with its parameters filled in, is like this.
KINDS = {
    "submit": r"INSERT INTO tasks\b",
    "claim": r"SET status = 'running'",
    "settle": r"SET status = 'completed'",
    "retry": r"INSERT INTO attempts\b.*'error'",
    "release": r"INSERT INTO attempts\b.*'crash'",
    "due": r"not_before = NULL\s+WHERE status = 'queued'",
    "cancel": r"SET status = 'cancelled'",
    "record": r"INSERT INTO events\b",
}
MAINTENANCE = {"archive": r"INSERT INTO tasks_archive\b"}  # likewise, of what is nobody's message
_PATTERNS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in (KINDS | MAINTENANCE).items()}


def die_at_commits(orders: Path) -> None:
    """Have every Writer of this process, and of those that it forks, carry out the orders in this file."""
    original = Writer.transaction
    launcher = os.getpid()

    def die(when: str, kinds: set[str]) -> None:
        try:
            order, _, others = orders.read_text().partition("\n")
        except FileNotFoundError:
            return
        words = order.split()
        if words[0] == when and words[1] in kinds:
            if others:
                orders.write_text(others)
            else:
                orders.unlink()
            if "all" in words:
                os.kill(launcher, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def transaction(self: Writer) -> Iterator[None]:
        kinds: set[str] = set()
        self._connection.set_trace_callback(
            lambda sql: kinds.update(kind for kind, pattern in _PATTERNS.items() if pattern.search(sql))
        )
        with original(self):
            yield
            die("before", kinds)
        die("after", kinds)

    Writer.transaction = transaction  # type: ignore[method-assign]


def main() -> int:
    home, config, orders = (Path(argument).resolve() for argument in sys.argv[1:])
    if processes.MARK not in os.environ:  # it must be in the environment with which the program is executed
        command = [sys.executable, "-m", "tests.faults.dying_storage", *sys.argv[1:]]
        os.execve(sys.executable, command, processes.environment(home))  # noqa: S606 - there is no shell, on purpose
    os.umask(0o077)
    die_at_commits(orders)
    settings = load(config)
    Home(home).prepare()
    held = lock.acquire(home)
    remains.clear(home)
    return Launcher(Plan(home, settings, recipients(settings), None, False), held).run()


if __name__ == "__main__":
    sys.exit(main())
