"""The logs of all processes as one stream for people: following the files, merging by time, and writing lines.

    12:03:04.123 scanner  INFO  message

Nothing here blocks or sleeps: whoever follows calls ``Follower.look`` a few times a second.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from squad.terminal import escape

_SUFFIX = ".jsonl"
_LATE = 0.01  # seconds that may pass between the making of a record and its line in the file
_SKEW = 1.0  # seconds: a line from further in the future is shown at once, the clock was set back
_COARSE = 0.05  # seconds: a folder changed again so soon after may still show the same time
_MOST = 1 << 20  # bytes read from one file in one look, and kept of a line without an end
_LONGEST = 10_000  # characters shown of one message

_COLOURS = (36, 32, 35, 34, 96, 92, 95, 94)  # of names, as ECMA-48 numbers; yellow and red are for levels
_LEVELS = {"WARNING": 33, "ERROR": 31, "CRITICAL": 31, "DEBUG": 2}


@dataclass(frozen=True, slots=True)
class Line:
    """One record. ``at`` is in seconds since the epoch; ``error`` is a traceback or empty."""

    at: float
    name: str
    level: str
    message: str
    error: str = ""


def parse(raw: bytes, name: str, now: float) -> Line:
    """A line of a log file. What is no record (a torn line) is shown as it is, under the file's ``name``."""
    try:
        record = json.loads(raw)
        at = datetime.fromisoformat(record["at"]).timestamp()
        parts = (record["name"], record["level"], record["message"], record.get("error", ""))
    except (ValueError, KeyError, TypeError):
        return Line(now, name, "?", raw.decode(errors="replace"))
    return Line(at, *map(str, parts))


# -- following ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _File:
    """Where we are in one process's log: ``offset`` bytes into the file that has ``inode``."""

    path: Path
    inode: int = 0
    offset: int = 0
    torn: bytes = b""  # the beginning of a line whose end is not written yet

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(_SUFFIX)

    def skip(self) -> None:
        """Go to the end."""
        found = self.path.stat()
        self.inode, self.offset = found.st_ino, found.st_size

    def news(self) -> Iterator[bytes]:
        """The lines that are new, without their ends; through rotations too, up to what was rotated away."""
        try:
            found = self.path.stat()
            if found.st_ino != self.inode:
                for path in self._since():
                    yield from self._read(path, whole=path != self.path)
            elif found.st_size < self.offset:
                self.offset, self.torn = 0, b""
                yield from self._read(self.path)
            elif found.st_size > self.offset:
                yield from self._read(self.path)
        except FileNotFoundError:  # in the middle of a rotation: the next look finds it
            return

    def _since(self) -> list[Path]:
        """The file that we were in, under its new name, and those after it, oldest first."""
        behind = [self.path]
        if self.inode:
            while (path := self.path.with_name(f"{self.path.name}.{len(behind)}")).exists():
                behind.append(path)
                if path.stat().st_ino == self.inode:
                    break
        return behind[::-1]

    def _read(self, path: Path, *, whole: bool = False) -> Iterator[bytes]:
        with path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            if inode != self.inode:
                self.inode, self.offset, self.torn = inode, 0, b""
            file.seek(self.offset)
            while chunk := file.read(_MOST):
                self.offset += len(chunk)
                *lines, self.torn = (self.torn + chunk).split(b"\n")
                yield from lines
                if len(self.torn) > _MOST:
                    yield self.torn
                    self.torn = b""
                if not whole:
                    break


@dataclass(slots=True)
class Follower:
    """Follows ``*.jsonl`` in ``folder``: new files and rotations too. ``clock`` gives seconds since the epoch.

    It begins at the end of the files that are there when it is made. An idle look is one ``stat`` a file.
    """

    folder: Path
    clock: Callable[[], float] = time.time
    _files: dict[str, _File] = field(default_factory=dict)
    _held: list[Line] = field(default_factory=list)
    _seen: tuple[int, bool] = (0, False)  # the folder's time at the last listing; whether that listing is final

    def __post_init__(self) -> None:
        self._list()
        for file in self._files.values():
            file.skip()

    def look(self) -> list[Line]:
        """The lines that are new, by time. The youngest are held back, as an older one may still be on its way."""
        now = self.clock()
        lines = self._held + self._news(now)
        done = [line for line in lines if not now - _LATE < line.at < now + _SKEW]
        self._held = [line for line in lines if now - _LATE < line.at < now + _SKEW]
        return _by_time(done)

    def rest(self) -> list[Line]:
        """All that is left, for the end: nobody writes any more."""
        lines, self._held = self._held, []
        while news := self._news(self.clock()):
            lines += news
        return _by_time(lines)

    def _news(self, now: float) -> list[Line]:
        self._list()
        return [parse(raw, file.name, now) for file in self._files.values() for raw in file.news() if raw]

    def _list(self) -> None:
        try:
            changed = self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if self._seen == (changed, True):
            return
        self._seen = (changed, self.clock() - changed / 1e9 > _COARSE)
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            self._files.setdefault(path.name, _File(path))


def _by_time(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: line.at)


# -- writing --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Writer:
    """Lines as text, coloured by name if ``colour``. Names line up with the longest one so far."""

    colour: bool = False
    _width: int = 8

    def text(self, lines: Iterable[Line]) -> str:
        """All of ``lines``, each with its line feed."""
        return "".join(map(self._one, lines))

    def _one(self, line: Line) -> str:
        name = escape(line.name)
        self._width = min(max(self._width, len(name)), 20)
        clock = datetime.fromtimestamp(line.at, UTC).astimezone()
        head = f"{clock:%H:%M:%S}.{clock.microsecond // 1000:03d}"
        first, *more = _shortened(line.message.rstrip("\n")).split("\n")
        more += line.error.rstrip("\n").split("\n") if line.error else []
        name_text = self._paint(f"{name:<{self._width}}", _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)])
        level = self._paint(f"{escape(line.level):<7}", _LEVELS.get(line.level, 0))
        text = f"{self._paint(head, 2)} {name_text} {level} {escape(first)}\n"
        return text + "".join(f"    {escape(other)}\n" for other in more)

    def _paint(self, text: str, number: int) -> str:
        return f"\x1b[{number}m{text}\x1b[0m" if self.colour and number else text


def _shortened(message: str) -> str:
    if len(message) <= _LONGEST:
        return message
    return f"{message[:_LONGEST]}… and {len(message) - _LONGEST} more characters"
