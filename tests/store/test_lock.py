"""The lock that makes the writer the only one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from squad.errors import StoreError
from squad.store.lock import acquire

HOLD = """
import sys, pathlib
from squad.store.lock import acquire
lock = acquire(pathlib.Path(sys.argv[1]), 5)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "storage.lock"


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_lock_file_names_its_holder(path: Path) -> None:
    lock = acquire(path, 0)
    assert int(path.read_text()) == os.getpid()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lock.release()
    lock.release()
    acquire(path, 0).release()


def test_only_one_process_has_it(path: Path) -> None:
    with hold(path) as process:
        with pytest.raises(StoreError, match=f"process {process.pid} holds {path}") as caught:
            acquire(path, 0.05)
        assert f"ps -p {process.pid}" in caught.value.hint
        process.communicate()
    acquire(path, 0).release()


def test_it_is_free_as_soon_as_its_holder_is_killed(path: Path) -> None:
    with hold(path) as process:
        process.kill()
        lock = acquire(path, 60)
    assert int(path.read_text()) == os.getpid()
    lock.release()


def test_a_holder_that_has_not_said_who_it_is(path: Path) -> None:
    with hold(path) as process:
        path.write_text("")
        with pytest.raises(StoreError, match="process unknown holds"):
            acquire(path, 0)
        process.communicate()


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened: No such file or directory"):
        acquire(tmp_path / "none" / "storage.lock", 0)
