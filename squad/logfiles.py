"""The log of one process: the file that it writes and those that were rotated away from it, read as one.

``scanner.jsonl`` is written; ``scanner.jsonl.1``, ``.2``, … are older. A file keeps its identity when it is renamed:
its inode number and how it begins, because the number of a deleted file is soon given to a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

SUFFIX = ".jsonl"

_MOST = 1 << 20  # bytes read from one file in one look, and kept of a line without an end
_BLOCK = 1 << 16  # bytes read at once when looking back, and searched line by line
_BEGINNING = 200  # bytes that tell a file from another with the same inode number: its first record, to the millisecond
_GAP = 2  # numbers that may be missing in the chain while files are being renamed
_TRIES = 20  # to see the chain at a moment at which no file is being renamed
_RECORD = b'{"at": "'  # how a record begins; inside one the quotes would be escaped


class _Identity(NamedTuple):
    inode: int
    beginning: bytes

    def is_of(self, file: BinaryIO) -> bool:
        """Never of an empty one: there is nothing to know it by yet."""
        return bool(self.beginning) and self.inode == _inode(file) and _beginning(file).startswith(self.beginning)


_NOWHERE = _Identity(0, b"")


@dataclass(slots=True)
class LogFile:
    """A place in one process's log: ``offset`` bytes into the file that has the identity ``_file``.

    A new one stands before everything. Lines come without their ends. What was rotated away before it was read is lost.
    """

    path: Path
    offset: int = 0
    _file: _Identity = _NOWHERE
    _older: _Identity = _NOWHERE  # the file before it in the chain
    _changed: int = 0  # when the file was written to last, in nanoseconds, as the last look saw it
    _torn: bytes = field(default=b"", repr=False)  # the beginning of a line whose end is not written yet

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(SUFFIX)

    def to_end(self) -> None:
        """Go behind the last line that is whole."""
        with ExitStack() as files:
            chain = _chain(self.path, files)
            written = next(filter(_beginning, chain), None)
            if written is not None:
                self._enter(written, chain)
                self.offset = _end_of_lines(written)
                self._changed = os.fstat(written.fileno()).st_mtime_ns

    def news(self) -> Iterator[bytes]:
        """The lines from here on, through rotations; the place moves behind them. When idle it is one ``stat``."""
        try:
            found = self.path.stat()
        except FileNotFoundError:  # in the middle of a rotation: the next look finds it
            return
        if (found.st_ino, found.st_size, found.st_mtime_ns) == (self._file.inode, self.offset, self._changed):
            return
        if not found.st_size and self._file is _NOWHERE and found.st_mtime_ns == self._changed:
            return  # nothing was ever written into it, and it was looked at before
        self._changed = found.st_mtime_ns
        with ExitStack() as files:
            written = _open(self.path, files)
            if written is not None and self._is_here(written):
                yield from self._read(written)
                return
            chain = _chain(self.path, files)
            for file in reversed(self._since(chain)):
                if not self._is_here(file):
                    if not _beginning(file):  # entered when it has its first record
                        continue
                    if self._torn:  # its writer was killed, or it was cut off
                        yield self._torn
                    self._enter(file, chain)
                yield from self._read(file, whole=file is not chain[0])

    def back(self) -> Iterator[bytes]:
        """The lines before here, the newest first. The place stays."""
        with ExitStack() as files:
            for file, end in self._until_here(files):
                yield from _backward(file, end)

    def onward(self, since: float, time_of: Callable[[bytes], float | None]) -> Iterator[bytes]:
        """The lines before here, the oldest first, beginning not long before the first that is from ``since`` or later.

        ``time_of`` a line is in seconds since the epoch; None for a line that has none. The place stays.
        """
        with ExitStack() as files:
            parts = []
            all_of_it = self._until_here(files)
            for file, end in all_of_it:
                start = _shortly_before(since, time_of, file, end)
                parts.append((file, start, end))
                if start:
                    break  # what comes before it is older still
            for file, _ in all_of_it[len(parts) :]:
                file.close()  # many logs may be read side by side
            for file, start, end in reversed(parts):
                yield from _forward(file, start, end)

    def _is_here(self, file: BinaryIO) -> bool:
        return self._file.is_of(file) and os.fstat(file.fileno()).st_size >= self.offset

    def _enter(self, file: BinaryIO, chain: list[BinaryIO]) -> None:
        """Go to the beginning of ``file``, one of the ``chain``."""
        self._file, self.offset, self._torn = _identity(file), 0, b""
        before = filter(_beginning, chain[chain.index(file) + 1 :])
        self._older = next(map(_identity, before), _NOWHERE)

    def _since(self, chain: list[BinaryIO]) -> list[BinaryIO]:
        """Of the chain the file that we are in and the newer ones; all that are new when ours is gone."""
        for position, file in enumerate(chain):
            if self._is_here(file):
                return chain[: position + 1]
            if self._older.is_of(file):
                return chain[:position]
        return chain

    def _until_here(self, files: ExitStack) -> list[tuple[BinaryIO, int]]:
        """The file that we are in and the older ones, and where each ends for us; the newest first."""
        chain = _chain(self.path, files)
        ours = next((position for position, file in enumerate(chain) if self._is_here(file)), None)
        if ours is None:
            return []
        older = chain[ours + 1 :]
        return [(chain[ours], self.offset), *((file, os.fstat(file.fileno()).st_size) for file in older)]

    def _read(self, file: BinaryIO, *, whole: bool = False) -> Iterator[bytes]:
        file.seek(self.offset)
        while chunk := file.read(_MOST):
            self.offset += len(chunk)
            *lines, self._torn = (self._torn + chunk).split(b"\n")
            for line in lines:
                yield from _apart(line)
            if len(self._torn) > _MOST:
                yield self._torn
                self._torn = b""
            if not whole:
                break
        if len(self._file.beginning) < _BEGINNING:
            self._file = _identity(file)


def _open(path: Path, files: ExitStack) -> BinaryIO | None:
    try:
        return files.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None


def _chain(path: Path, files: ExitStack) -> list[BinaryIO]:
    """``path`` and what was rotated away from it, open, the newest first; each once."""
    for _ in range(_TRIES):
        with ExitStack() as opened:
            found = [file for number in _numbers(path) if (file := _open(_numbered(path, number), opened)) is not None]
            inodes = [_inode(file) for file in found]
            if inodes == [inode for number in _numbers(path) if (inode := _inode_at(_numbered(path, number)))]:
                files.push(opened.pop_all())
                return found
    return []  # renamed faster than we can look: the next look finds it


def _numbers(path: Path) -> Iterator[int]:
    missing = number = 0
    while missing <= _GAP:
        missing = 0 if _numbered(path, number).exists() else missing + 1
        yield number
        number += 1


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino


def _inode_at(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _beginning(file: BinaryIO) -> bytes:
    return os.pread(file.fileno(), _BEGINNING, 0)


def _identity(file: BinaryIO) -> _Identity:
    return _Identity(_inode(file), _beginning(file))


def _apart(line: bytes) -> Iterator[bytes]:
    """A line; two, when a record was written behind one that its killed writer had not finished. Nothing if empty."""
    begun = line.rfind(_RECORD)
    if begun > 0:
        yield line[:begun]
        line = line[begun:]
    if line:
        yield line


def _end_of_lines(file: BinaryIO) -> int:
    """Where the last line ends that is whole."""
    end = os.fstat(file.fileno()).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        found = os.pread(file.fileno(), end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _backward(file: BinaryIO, end: int) -> Iterator[bytes]:
    """The lines before ``end``, the last first."""
    pieces: list[bytes] = []  # of the line that we are in, its end first
    while end > 0:
        start = max(0, end - _BLOCK)
        first, *lines = os.pread(file.fileno(), end - start, start).split(b"\n")
        end = start
        for line in reversed(lines):
            pieces.append(line)
            yield from reversed(list(_apart(b"".join(reversed(pieces)))))
            pieces = []
        pieces.append(first)
    yield from reversed(list(_apart(b"".join(reversed(pieces)))))


def _forward(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """The lines from ``start``, where a line begins, up to ``end``."""
    file.seek(start)
    for line in file:
        start += len(line)
        if start > end:
            return
        yield from _apart(line.rstrip(b"\n"))


def _shortly_before(since: float, time_of: Callable[[bytes], float | None], file: BinaryIO, end: int) -> int:
    """Where a line begins before which all are older than ``since``, and not far before the first that is not."""
    low, high = 0, end
    while high - low > _BLOCK:
        middle = (low + high) // 2
        file.seek(middle)
        start = middle + len(file.readline())
        time = None
        while start < high and (line := file.readline()):
            time = time_of(line)
            if time is not None:
                break
            start += len(line)
        if time is None or time >= since:
            high = middle
        else:
            low = start
    return low
