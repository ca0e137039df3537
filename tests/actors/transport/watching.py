"""What the kernel says about processes and files, for tests."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from squad.actors.transport.inbox import Inbox
from squad.actors.transport.poller import Poller


def alive(pid: int) -> bool:
    """Whether it runs; a zombie, which only its parent keeps in the table, does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def all_gone(pids: Iterable[int]) -> bool:
    return not any(alive(pid) for pid in pids)


def tree(root: int) -> list[int]:
    """The process and everything below it."""
    top = psutil.Process(root)
    return [root, *(child.pid for child in top.children(recursive=True))]


def sockets_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if stat.S_ISSOCK(entry.lstat().st_mode)]


def descriptors(pid: int) -> list[str]:
    """What each open descriptor of the process is: a path, ``socket:[123]``, ``pipe:[123]``."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed while we looked
            found.append(str(descriptor.readlink()))
    return found


def read_all(box: Inbox, poller: Poller) -> None:
    """The loop of an inbox's owner, until nothing more is there."""
    seen = -1
    while seen != (seen := len(box.messages) + len(box)):
        poller.wait(0)


def inode(descriptor_link: str) -> str:
    """``123`` from ``socket:[123]``, as /proc shows a descriptor."""
    return descriptor_link.partition("[")[2].rstrip("]")
