"""The logs of all processes as one stream for people: merging them by time, following them, and writing lines.

    12:03:04.123 scanner  INFO  message

Nothing here blocks or sleeps: whoever follows calls ``Follower.look`` a few times a second.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import merge
from itertools import islice, takewhile
from pathlib import Path

from squad.logfiles import SUFFIX, LogFile
from squad.terminal import escape

NO_RECORD = "?"  # the level of a line that is no record

_NUMBER = re.compile(r"\.\d+$")  # behind the name of a file that was rotated away
_LATE = 0.01  # seconds that may pass between the making of a record and its line in the file
_SKEW = 1.0  # seconds: a line from further in the future is shown at once, the clock was set back
_COARSE = 0.05  # seconds: a folder changed again so soon after may still show the same time
_LONGEST = 10_000  # characters shown of one message

_COLOURS = (36, 32, 35, 34, 96, 92, 95, 94)  # of names, as ECMA-48 numbers; yellow and red are for levels
_LEVELS = {"WARNING": 33, "ERROR": 31, "CRITICAL": 31, "DEBUG": 2}


@dataclass(frozen=True, slots=True)
class Line:
    """One record. ``at`` is in seconds since the epoch; ``error`` is a traceback or empty; ``raw`` is what was read."""

    at: float
    name: str
    level: str
    message: str
    error: str = ""
    raw: bytes = field(default=b"", compare=False, repr=False)


def parse(raw: bytes, name: str, now: float) -> Line:
    """A line of a log file. What is no record (a torn line) is shown as it is, under the file's ``name``."""
    try:
        record = json.loads(raw)
        at = datetime.fromisoformat(record["at"]).timestamp()
        owner, level, message, error = record["name"], record["level"], record["message"], record.get("error", "")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Line(now, name, NO_RECORD, raw.decode(errors="replace"), raw=raw)
    return Line(at, str(owner), str(level), str(message), str(error), raw)


def time_of(raw: bytes) -> float | None:
    """When a line was written, in seconds since the epoch; None for what is no record."""
    line = parse(raw, "", 0.0)
    return None if line.level == NO_RECORD else line.at


# -- reading --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Follower:
    """Follows the logs in ``folder``: new files and rotations too. ``clock`` gives seconds since the epoch.

    It begins at the end of the files that are there when it is made. An idle look is one ``stat`` a file. ``wanted``
    chooses logs by the name of their process.
    """

    folder: Path
    clock: Callable[[], float] = time.time
    wanted: Callable[[str], bool] = lambda _: True
    _files: dict[str, LogFile] = field(default_factory=dict)
    _held: list[Line] = field(default_factory=list)
    _seen: tuple[int, bool] = (0, False)  # the folder's time at the last listing; whether that listing is final

    def __post_init__(self) -> None:
        self._list()
        for file in self._files.values():
            file.to_end()

    def last(self, most: int, since: float, fits: Callable[[Line], bool]) -> list[Line]:
        """Of what was there when it was made the last lines that fit, at most so many, from ``since`` on, by time."""
        lines: list[Line] = []
        for file in self._files.values():
            newest_first = takewhile(lambda line: line.at >= since, _parsed(file.back(), file.name, self.clock()))
            lines += list(islice(filter(fits, newest_first), most))[::-1]
        return _by_time(lines)[-most:] if most else []

    def since(self, since: float) -> Iterator[Line]:
        """Likewise all lines from then on; few of them are in memory at once."""
        logs = [_parsed(file.onward(since, time_of), file.name, since) for file in self._files.values()]
        return (line for line in merge(*logs, key=_at) if line.at >= since)

    def look(self) -> list[Line]:
        """The lines that are new, by time. The youngest are held back, as an older one may still be on its way."""
        now = self.clock()
        lines = self._held + self._news(now)
        done = [line for line in lines if not now - _LATE < line.at < now + _SKEW]
        self._held = [line for line in lines if now - _LATE < line.at < now + _SKEW]
        return _by_time(done)

    @property
    def holds(self) -> bool:
        """Whether lines are held back."""
        return bool(self._held)

    def rest(self) -> list[Line]:
        """All that is left, for the end: nobody writes any more."""
        lines, self._held = self._held, []
        while news := self._news(self.clock()):
            lines += news
        return _by_time(lines)

    def _news(self, now: float) -> list[Line]:
        self._list()
        return [parse(raw, file.name, now) for file in self._files.values() for raw in file.news()]

    def _list(self) -> None:
        try:
            changed = self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if self._seen == (changed, True):
            return
        self._seen = (changed, self.clock() - changed / 1e9 > _COARSE)
        for path in logs_in(self.folder):
            if path.name not in self._files and self.wanted(path.name.removesuffix(SUFFIX)):
                self._files[path.name] = LogFile(path)


def logs_in(folder: Path) -> list[Path]:
    """The log of every process that has one in ``folder``, also one of which only rotated files are there now."""
    names = {name for path in folder.glob(f"*{SUFFIX}*") if (name := _NUMBER.sub("", path.name)).endswith(SUFFIX)}
    return [folder / name for name in sorted(names)]


def _parsed(raws: Iterable[bytes], name: str, at: float) -> Iterator[Line]:
    """Each line; what is no record has the time of the one before it, the first that of ``at``."""
    for raw in raws:
        line = parse(raw, name, at)
        at = line.at
        yield line


def _at(line: Line) -> float:
    return line.at


def _by_time(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=_at)


# -- writing --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Writer:
    """Lines as text, coloured by name if ``colour``. Names line up with the longest one so far.

    ``dated``: a line of another day than today says which.
    """

    colour: bool = False
    dated: bool = False
    _width: int = 8

    def text(self, lines: Iterable[Line]) -> str:
        """All of ``lines``, each with its line feed."""
        return "".join(map(self._one, lines))

    def _one(self, line: Line) -> str:
        name = escape(line.name)
        self._width = min(max(self._width, len(name)), 20)
        head = clock_time(line.at, dated=self.dated)
        first, *more = _shortened(line.message.rstrip("\n")).split("\n")
        more += line.error.rstrip("\n").split("\n") if line.error else []
        name_text = self._paint(f"{name:<{self._width}}", _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)])
        level = self._paint(f"{escape(line.level):<7}", _LEVELS.get(line.level, 0))
        text = f"{self._paint(head, 2)} {name_text} {level} {escape(first)}\n"
        return text + "".join(f"    {escape(other)}\n" for other in more)

    def _paint(self, text: str, number: int) -> str:
        return f"\x1b[{number}m{text}\x1b[0m" if self.colour and number else text


def clock_time(at: float, *, dated: bool) -> str:
    """``12:03:04.123`` here, from seconds since the epoch; ``dated``: with the day before it unless that is today."""
    clock = datetime.fromtimestamp(at, UTC).astimezone()
    text = f"{clock:%H:%M:%S}.{clock.microsecond // 1000:03d}"
    return f"{clock:%Y-%m-%d} {text}" if dated and clock.date() != datetime.now(UTC).astimezone().date() else text


def _shortened(message: str) -> str:
    if len(message) <= _LONGEST:
        return message
    return f"{message[:_LONGEST]}… and {len(message) - _LONGEST} more characters"
