"""The processes of one squad, by what they are; and hitting one of them for certain.

A process belongs to the squad if its environment bears the mark of the squad's home. It is held by a descriptor before
it is looked at, so that a signal can never reach another process to which its number was given meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from squad.actors.agents.commandrun import TITLE
from squad.actors.agents.nursery import TASK
from squad.launcher.processes import MARK
from squad.verify.workload import CLERKS

KINDS = (
    "agent",
    "worker",
    "command",
    "nursery",
    "storage",
    "gateway",
    "monitor",
    "scheduler",
    "supervisor",
    "admin",
    "launcher",
    "warden",
)
ALL = (*KINDS, "newborn", "other")  # with what was just forked, and programs that agents started
_WORKERS = frozenset(f"clerk-{number}" for number in range(1, CLERKS + 1))
_AGENTS = frozenset({"teller", "book", "printer"})
_PREFIX = "squad: "


@dataclass(slots=True)
class Target:
    """A process that is held: ``hit`` or ``release`` it. ``started``: clock ticks since the machine started."""

    pid: int
    kind: str
    name: str
    started: int
    _handle: int = -1

    def hit(self, number: signal.Signals) -> bool:
        """Send it a signal; False when it had ended."""
        try:
            signal.pidfd_send_signal(self._handle, number)
        except ProcessLookupError:
            return False
        return True

    def release(self) -> None:
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Targets:
    """A list of targets, all of them released at the end of a ``with``."""

    def __init__(self, home: Path, kinds: tuple[str, ...] = KINDS) -> None:
        self._found = sorted(_held(home, kinds), key=lambda target: target.started)

    def __enter__(self) -> list[Target]:
        return self._found

    def __exit__(self, *_: object) -> None:
        for target in self._found:
            target.release()


def alive(home: Path) -> dict[int, str]:
    """Every process of the squad, {pid: what it is}."""
    with Targets(home, ALL) as found:
        return {target.pid: target.name for target in found}


def _held(home: Path, kinds: tuple[str, ...]) -> Iterator[Target]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or not _is_of(entry, home):
            continue
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(int(entry.name))
            if (target := _looked_at(entry, home, handle)) is not None and target.kind in kinds:
                yield target
            else:
                os.close(handle)


def _looked_at(entry: Path, home: Path, handle: int) -> Target | None:
    """What it is; None when it is not of the squad (any more)."""
    try:
        title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX" or not _is_of(entry, home):
        return None
    kind, name = _kind(title, _environment(entry))
    return Target(int(entry.name), kind, name, int(fields[19]), handle)


def _kind(title: str, environment: list[bytes]) -> tuple[str, str]:
    """(kind, name) by its title in ``ps``. Programs that agents started have one of their own, or none of ours."""
    if any(variable.startswith(f"{TASK}=".encode()) for variable in environment):
        return "command", "command"
    if not title.startswith(_PREFIX):
        return "other", title
    name = title.removeprefix(_PREFIX)
    if name.endswith(TITLE):
        return "nursery", "nursery"
    if name in _AGENTS:
        return "agent", name
    if name in _WORKERS:
        return "worker", name
    first = name.partition(" ")[0]
    return (first, first) if first in KINDS else ("newborn", name)


def _is_of(entry: Path, home: Path) -> bool:
    mark = os.fsencode(f"{MARK}={home}:")
    return any(variable.startswith(mark) for variable in _environment(entry))


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or is another user's
        return []
