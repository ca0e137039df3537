"""Signal 9 to a process that writes: what was acknowledged is there, and no transaction is there by half."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.config.schema import StoreConfig
from squad.store.writer import Writer

# Each round: two messages are submitted, one is completed with a state and three sends. The round is then said.
WRITE = """
import json, sys, time
from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.rows import NewTask, Outcome
from squad.store.writer import Writer
from tests.store import singly

def message(recipient):
    return NewTask(new_id(), "test", recipient, "t", "{}")

writer = Writer(sys.argv[1], StoreConfig(synchronous=sys.argv[2]))
while True:
    now = time.time()
    rows = [message("a"), message("c")]
    with writer.transaction():
        writer.submit(rows, now)
    with writer.transaction():
        (lease,) = singly.claim(writer, "a", "a/1", 1, now)
    version, text = writer.state("a")
    state = json.dumps({"n": json.loads(text).get("n", 0) + 1})
    sends = tuple(message("b") for _ in range(3))
    outcome = Outcome(lease.row, lease.fence, "done", now, 1, "1", sends=sends, state=state, state_version=version)
    with writer.transaction():
        assert singly.settle(writer, "a/1", "a", [outcome], now, lambda *_: None).accepted == [True]
    print(rows[0].task_id, rows[1].task_id, sends[0].task_id, flush=True)
"""


def write_and_kill(path: Path, synchronous: str, rounds: int) -> set[str]:
    """The ids that the process said it had committed before it was killed, in the middle of some round after."""
    command = [sys.executable, "-c", WRITE, str(path), synchronous]
    said: list[str] = []
    enough = threading.Event()

    def listen(lines: Any) -> None:
        for line in lines:
            said.extend(line.split())
            if len(said) >= 3 * rounds:
                enough.set()

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        listener = threading.Thread(target=listen, args=(process.stdout,))
        listener.start()
        assert enough.wait(60)
        process.kill()
        listener.join(60)  # what is still in the pipe was acknowledged as well
    return set(said)


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_signal_9(path: Path, sql: Callable[..., list[Any]], synchronous: str) -> None:
    said: set[str] = set()
    for rounds in (20, 41, 77):
        said |= write_and_kill(path, synchronous, rounds)
        with closing(Writer(path, StoreConfig())) as writer:
            with writer.transaction():
                writer.requeue(writer.open_leases(), 1_800_000_000.0)
            version, state = writer.state("a")
        assert sql("PRAGMA integrity_check") == [("ok",)]
        assert said <= {row[0] for row in sql("SELECT task_id FROM tasks")}
        ((completed,),) = sql("SELECT COUNT(*) FROM tasks WHERE recipient = 'a' AND status = 'completed'")
        assert sql("SELECT COUNT(*) FROM tasks WHERE recipient = 'b'") == [(3 * completed,)]
        assert (version, state) == (completed, f'{{"n": {completed}}}')
        ((both, first),) = sql("SELECT SUM(recipient IN ('a', 'c')), SUM(recipient = 'a') FROM tasks")
        assert both == 2 * first
