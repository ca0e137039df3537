"""Logs: each process writes JSON lines to a file of its own in the home, which is rotated by size.

A line is ``{"at", "level", "name", "pid", "message"}``, with ``"error"`` (a traceback) where there is one. ``at`` is
ISO 8601 UTC with milliseconds. ``squad.logview`` merges the files of all processes for people.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import time
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from squad.config.schema import LoggingConfig

FOLDER = "logs"
SUFFIX = ".jsonl"
_EVERY = 1.0  # seconds between two looks whether somebody else has moved or cut the file
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


def configure(home: Path, name: str, settings: LoggingConfig) -> None:
    """Send everything that this process logs to ``logs/<name>.jsonl`` in ``home``, from ``settings.level`` up.

    Takes the place of whatever handlers the root logger had, those of an earlier call too. Python's warnings go there
    as well.
    """
    folder = f"{home}/{FOLDER}"  # a Path for it would run a dozen functions more, in each process
    if not os.path.isdir(folder):  # noqa: PTH112
        Path(folder).mkdir(mode=0o700, exist_ok=True)
    _file.aim(f"{folder}/{_file_name(name)}{SUFFIX}", name, settings)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if old is not _file:
            root.removeHandler(old)
            old.close()
    root.addHandler(_file)
    level = logging.getLevelName(settings.level)
    if root.level != level:  # mostly it is the parent's; setting it writes to every logger there is
        root.setLevel(level)
    logging.captureWarnings(True)


def logger(name: str) -> logging.Logger:
    """The logger of one of Squad's own parts or of an agent: ``squad.<name>``."""
    return logging.getLogger(f"squad.{name}")


def _file_name(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)


class _JsonLines(RotatingFileHandler):
    """Writes each record as one line of ASCII JSON, which no terminal takes for an order.

    RotatingFileHandler formats each record twice and asks the file system about each; this one counts its bytes. Once a
    second at most it looks whether another program, such as logrotate, has moved the file away or cut it.
    """

    def __init__(self) -> None:
        self._pid = self._size = 0
        self._looked = 0.0  # seconds since the epoch
        self._failing = False
        super().__init__(os.devnull, encoding="utf-8", delay=True)
        self.formatter = self._lines = _JsonFormatter()

    def aim(self, path: str, name: str, settings: LoggingConfig) -> None:
        """Write to this file from now on. Raises OSError if it cannot be opened."""
        with self.lock or contextlib.nullcontext():
            if self.stream is not None:
                self.stream.close()
                self.stream = None
            self.baseFilename, self.maxBytes, self.backupCount = path, settings.max_size, settings.keep
            self._pid = os.getpid()
            self._failing = False
            self._lines.name = name
            self.stream = self._open()

    def _open(self) -> TextIOWrapper:
        stream = open(self.baseFilename, "a", encoding="utf-8", opener=_private)  # noqa: SIM115 - kept open
        self._size = os.fstat(stream.fileno()).st_size
        return stream

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        try:
            if not 0 <= record.created - self._looked < _EVERY:
                self._look()
                self._looked = record.created
            # A fork that has not configured its own logs yet may write here, but only the owner turns the file over.
            if self._size and self._size + len(line) > self.maxBytes and record.process == self._pid:
                self._turn_over()
            if self.stream is None:
                self.stream = self._open()
            self.stream.write(line)
            self.stream.flush()
        except OSError as error:
            self._say(error)
        else:
            self._size += len(line)
            self._failing = False

    def _look(self) -> None:
        """Write to the file that has the name now, and know its size."""
        if self.stream is None:
            return
        ours = os.fstat(self.stream.fileno())
        try:
            named = os.stat(self.baseFilename)  # noqa: PTH116 - a path object would be made for each look
        except FileNotFoundError:
            named = None
        if named is not None and (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino):
            self._size = named.st_size
        else:
            self.stream.close()
            self.stream = self._open()

    def _turn_over(self) -> None:
        if self.backupCount:
            self.doRollover()
        elif self.stream is not None:
            self.stream.truncate(0)
            self._size = 0

    def _say(self, error: OSError) -> None:
        """A log that cannot be written must not end the work: said once on standard error until it works again."""
        stream, self.stream = self.stream, None  # opened anew for the next record
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
        if not self._failing:
            self._failing = True
            with contextlib.suppress(OSError):  # it may be a file on the same disk
                sys.stderr.write(f"squad: {self.baseFilename} cannot be written: {error.strerror}\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


class _JsonFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__()
        self.name = ""  # of the process
        self._second = -1
        self._second_text = ""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self._at(record.created),
            "level": record.levelname,
            "name": self.name,
            "pid": record.process,
            "message": _message(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = self.formatException(record.exc_info)
        elif record.stack_info:
            line["error"] = record.stack_info
        return json.dumps(line).replace("\x7f", "\\u007f")

    def _at(self, created: float) -> str:
        milliseconds = int(created * 1000)
        second = milliseconds // 1000
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{milliseconds % 1000:03d}Z"


_file = _JsonLines()  # of this process; a child aims its parent's anew, which costs less than to make another


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # the caller's mistake, perhaps in a __str__ of its own: say where, and go on
        return f"a log message that cannot be formatted, from {record.pathname}:{record.lineno}: {error}"
