"""The black box of a worker: which lease its handler has in hand, readable by others and after its death.

A small file in the home's ``run/hand/``, mapped into memory: writing to it is a memory store, no system call,
so the handler's thread does it for every message. When the process dies the kernel keeps the page, and the supervisor
knows which message to charge with the crash. The supervisor reads it as well to say what an agent is doing whose
native code holds the interpreter.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

_LAYOUT = struct.Struct("<qqd36s100s")  # as in Hand; row 0: nothing in hand
_EMPTY = bytes(_LAYOUT.size)


class Hand(NamedTuple):
    row: int
    fence: int
    started: float  # seconds since the epoch
    task_id: str
    type: str


class BlackBox:
    """The worker's side. ``hold`` and ``clear`` are for the thread of the handlers.

    On a disk that is full or read-only nobody else can read it: then a crash is charged to no message.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        try:
            self._memory = _mapped(folder / worker)
        except OSError:
            self._memory = mmap.mmap(-1, _LAYOUT.size)

    def hold(self, hand: Hand) -> None:
        row, fence, started, task_id, kind = hand
        _LAYOUT.pack_into(self._memory, 0, row, fence, started, task_id.encode(), kind.encode())

    def clear(self) -> None:
        self._memory[:] = _EMPTY


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # It has its place on the disk now: to store into a file that finds none later ends the process (SIGBUS).
        os.posix_fallocate(descriptor, 0, _LAYOUT.size)
        return mmap.mmap(descriptor, _LAYOUT.size)
    finally:
        os.close(descriptor)


def read(folder: Path, worker: str) -> Hand | None:
    """What the worker has in hand, or had when it died; None for nothing."""
    try:
        data = (folder / worker).read_bytes()
    except FileNotFoundError:
        return None
    if len(data) < _LAYOUT.size:
        return None
    row, fence, started, task_id, kind = _LAYOUT.unpack_from(data)
    return Hand(row, fence, started, _text(task_id), _text(kind)) if row else None


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("ascii", "replace")


def read_all(folder: Path) -> dict[str, Hand]:
    """Every black box that has something in hand, by worker: what a whole squad was doing when it was killed."""
    if not folder.is_dir():
        return {}
    return {path.name: hand for path in folder.iterdir() if (hand := read(folder, path.name))}


def inherit(folder: Path) -> dict[str, tuple[int, int]]:
    """What a killed squad had in hand, by worker: (row, fence). Its black boxes go, and the folder is there for new."""
    hands = {worker: (hand.row, hand.fence) for worker, hand in read_all(folder).items()}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in list(folder.iterdir()):  # those of the idle as well
        discard(folder, path.name)
    return hands


def discard(folder: Path, worker: str) -> None:
    with contextlib.suppress(OSError):  # it is gone, or the disk is read-only now: a name is never used again
        (folder / worker).unlink()
