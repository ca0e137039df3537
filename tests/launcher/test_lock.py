from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from squad.errors import AlreadyRunningError, HomeError
from squad.home import Home, created
from squad.launcher import lock

CONTENT = {
    "pid": os.getpid(),
    "created": created(os.getpid()),
    "config": "/etc/squad.yaml",
    "name": "audit",
    "started_at": "2026-01-01T12:00:00.000Z",
}


def test_who_holds_it_is_named_to_who_comes_second(tmp_path: Path) -> None:
    held = lock.acquire(tmp_path)
    held.write(CONTENT)
    with pytest.raises(AlreadyRunningError) as refused:
        lock.acquire(tmp_path)
    for part in ("audit", str(os.getpid()), "/etc/squad.yaml", "2026-01-01T12:00:00.000Z", str(tmp_path)):
        assert part in refused.value.message
    assert "squad stop" in refused.value.hint
    held.release()
    lock.acquire(tmp_path).release()


def test_one_that_has_not_said_who_it_is_yet(tmp_path: Path) -> None:
    held = lock.acquire(tmp_path)
    with pytest.raises(AlreadyRunningError, match="just being started"):
        lock.acquire(tmp_path)
    held.release()


def test_what_it_says_is_read_and_gone_after_release(tmp_path: Path) -> None:
    held = lock.acquire(tmp_path)
    held.write({**CONTENT, "name": "a much longer name than the one after it"})
    held.write(CONTENT)
    assert lock.read(tmp_path) == CONTENT
    holder = Home(tmp_path).launcher()
    assert holder is not None
    assert holder.pid == os.getpid()
    held.release()
    held.release()
    assert lock.read(tmp_path) == {}
    assert Home(tmp_path).launcher() is None


def test_a_command_that_looks_does_not_stop_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take the lock, shared, for a moment to see whether it is held."""
    monkeypatch.setattr(lock, "_PATIENCE", 60.0)  # a moment may be long on a machine that is busy
    path = tmp_path / lock.FILE
    path.touch()
    looking = path.open("rb")
    fcntl.flock(looking, fcntl.LOCK_SH)
    timer = threading.Timer(0.1, looking.close)
    timer.start()
    lock.acquire(tmp_path).release()
    timer.join()


def test_a_forked_child_does_not_keep_it(tmp_path: Path) -> None:
    held = lock.acquire(tmp_path)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    held.abandon()
    lock.acquire(tmp_path).release()
    os.close(write)
    os.close(read)
    os.waitpid(child, 0)


def test_it_goes_over_to_the_next_program(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from squad.launcher import lock
held = lock.inherited(int(sys.argv[1]))
print("has it", flush=True)
sys.stdin.read()
held.write({"name": "next"})
"""
    held = lock.acquire(tmp_path)
    descriptor = held.share()
    command = [sys.executable, "-c", program, str(descriptor)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[descriptor]
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "has it\n"
        held.abandon()
        with pytest.raises(AlreadyRunningError):
            lock.acquire(tmp_path)
        process.communicate(timeout=30)
    assert json.loads((tmp_path / lock.FILE).read_text()) == {"name": "next"}
    lock.acquire(tmp_path).release()


def test_a_home_that_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / lock.FILE).mkdir()
    with pytest.raises(HomeError, match="cannot be opened"):
        lock.acquire(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_what_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / lock.FILE).write_text(text)
    assert lock.read(tmp_path) == {}
