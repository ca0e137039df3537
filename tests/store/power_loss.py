"""What a loss of power leaves of a database, by simulation: a program, since it needs strace.

    python -m tests.store.power_loss [--commits 200] [--seed 1]

A process commits through the writer, and says each commit on its standard output; strace records all that it writes
to the database and its log, and each fdatasync. From this the files are made again as they might be found if the power
failed at some moment: all that was synced before is there, and of the rest nothing, all, or any part of it in any
order, since a disk may write as it likes until it is told to sync. Each of these is opened as after a restart.

It fails unless the database is whole every time, has no transaction by half and none after one that is missing, and
under FULL has every commit that was said. Under NORMAL it tells how many were missing at most. Names of files are taken
to survive, and a write of a page to be whole or not to be there.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_CHILD = """
import os
import sys
from squad.config.schema import StoreConfig
from squad.ids import new_id
from squad.store.rows import NewTask
from squad.store.writer import Writer

path, synchronous, commits = sys.argv[1], sys.argv[2], int(sys.argv[3])
writer = Writer(path, StoreConfig(synchronous=synchronous, wal_autocheckpoint=25))
for number in range(commits):
    with writer.transaction():
        writer.submit([NewTask(new_id(), str(number), "a", "t", "x" * 300) for _ in range(3)], 1_800_000_000.0)
    os.write(1, b".")
writer.close()
"""
_ROWS = 3  # of each transaction

_SYSCALL = re.compile(r"^(\w+)\((\d+)<([^>]*)>(?:, (.*))?\)\s+= (-?\d+)")
_BYTES = re.compile(r"\\x([0-9a-f]{2})")


class Write(NamedTuple):
    at: int
    data: bytes


@dataclass
class File:
    """``synced`` is what has reached the disk for certain; ``pending`` what may have, in the order of writing."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Write | int] = field(default_factory=list)  # an int: cut off there

    def sync(self) -> None:
        self.synced = self.with_some(self.pending)
        self.pending = []

    def with_some(self, some: list[Write | int]) -> bytearray:
        found = bytearray(self.synced)
        for change in some:
            if isinstance(change, int):
                del found[change:]
                continue
            found.extend(b"\0" * (change.at + len(change.data) - len(found)))
            found[change.at : change.at + len(change.data)] = change.data
        return found


def record(folder: Path, synchronous: str, commits: int) -> Iterator[list[str]]:
    """The system calls that matter: name, file, other parameters."""
    trace = folder / "trace"
    calls = "pwrite64,write,fdatasync,fsync,ftruncate"
    strace = ["strace", "-y", "-xx", "-s", "100000", "-e", f"trace={calls}", "-e", "signal=none", "-o", str(trace)]
    child = [sys.executable, "-c", _CHILD, str(folder / "squad.db"), synchronous, str(commits)]
    subprocess.run([*strace, *child], check=True, stdout=subprocess.DEVNULL)
    for line in trace.open():
        if (match := _SYSCALL.match(line)) and int(match[5]) >= 0:
            path = _text(match[3]) if match[3].startswith("\\x") else match[3].encode()
            yield [match[1], Path(path.decode()).name, match[4] or "", match[2]]


def _text(escaped: str) -> bytes:
    return bytes(int(digits, 16) for digits in _BYTES.findall(escaped))


def run(synchronous: str, commits: int, chance: random.Random) -> str:
    """What was found, in one line. Raises AssertionError when a promise is broken."""
    folder = Path(tempfile.mkdtemp(prefix="squad-power-"))
    try:
        files: dict[str, File] = defaultdict(File)
        said = tried = most = 0
        for call, name, rest, descriptor in record(folder, synchronous, commits):
            match call:
                case "write" if descriptor == "1":
                    said += 1
                case "pwrite64":
                    data, _, at = rest.rpartition('", ')[0], *rest.rpartition(", ")[1:]
                    files[name].pending.append(Write(int(at), _text(data)))
                case "ftruncate":
                    files[name].pending.append(int(rest))
                case "fdatasync" | "fsync":
                    files[name].sync()
            if said and (call == "write" or chance.random() < 0.1):
                tried += 1
                for image in _images(files, chance):
                    most = max(most, said - _survived(folder, image, said, synchronous))
        return f"{synchronous}: {said} commits, {tried} losses of power, at most {max(most, 0)} commits missing"
    finally:
        shutil.rmtree(folder)


def _images(files: dict[str, File], chance: random.Random) -> Iterator[dict[str, bytearray]]:
    """The files as they may be found: nothing of what was not synced, all of it, and twice any part of it."""
    names = [name for name in files if name in ("squad.db", "squad.db-wal")]
    for share in (0.0, 1.0, 0.5, 0.9):
        yield {
            name: files[name].with_some([change for change in files[name].pending if chance.random() < share])
            for name in names
        }


def _survived(folder: Path, image: dict[str, bytearray], said: int, synchronous: str) -> int:
    """How many transactions are there."""
    after = folder / "after"
    after.mkdir()
    try:
        for name, content in image.items():
            (after / name).write_bytes(content)
        with closing(sqlite3.connect(after / "squad.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = connection.execute("SELECT CAST(sender AS INTEGER), COUNT(*) FROM tasks GROUP BY 1").fetchall()
    finally:
        shutil.rmtree(after)
    assert found == [(number, _ROWS) for number in range(len(found))], "a transaction is there by half, or out of order"
    assert synchronous != "FULL" or len(found) >= said, f"{said} commits were said, and {len(found)} are there"
    return len(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.store.power_loss", description=__doc__.split("\n\n")[0])
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if shutil.which("strace") is None:
        parser.error("strace is not installed")
    for synchronous in ("FULL", "NORMAL"):
        print(run(synchronous, given.commits, random.Random(given.seed)))  # noqa: S311 - nothing secret


if __name__ == "__main__":
    main()
