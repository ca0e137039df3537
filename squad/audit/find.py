"""Finds files below a folder by a pattern such as ``**/*.py``."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple


class Found(NamedTuple):
    """``files`` sorted by path; ``left_out``: (path, why) of each folder or file that could not be looked at."""

    files: list[str]
    left_out: list[tuple[str, str]]


class Pattern:
    """A pattern for paths relative to a folder. Raises ValueError, for people, when it cannot match any.

    ``*``, ``?`` and ``[...]`` match within one name, and also names that begin with a dot; ``**`` alone between
    slashes matches any number of folders, none included.
    """

    def __init__(self, text: str) -> None:
        steps = text.split("/")
        if text.startswith("/"):
            raise ValueError(f"the pattern {text!r} must be relative to the folder, for example **/*.py")
        if not text or any(step in ("", ".", "..") for step in steps) or steps[-1] == "**":
            raise ValueError(f"the pattern {text!r} names no files: write for example *.py or **/*.py")
        self._steps = [None if step == "**" else re.compile(fnmatch.translate(step)) for step in steps]

    def matches(self, parts: Collection[str]) -> bool:
        """Whether the path made of these names matches. Follows all readings of the pattern at once (an NFA)."""
        states = self._past_folders({0})
        for part in parts:
            after = set()
            for state in states:
                if state == len(self._steps):
                    continue
                step = self._steps[state]
                if step is None:
                    after.add(state)
                elif step.match(part):
                    after.add(state + 1)
            states = self._past_folders(after)
        return len(self._steps) in states

    def _past_folders(self, states: set[int]) -> set[int]:
        """``states`` and those reached from them by letting ``**`` match no folder."""
        reached = set(states)
        for state in sorted(states):
            after = state
            while after < len(self._steps) and self._steps[after] is None:
                after += 1
                reached.add(after)
        return reached


def find_files(root: Path, pattern: Pattern, skip: Collection[str] = ()) -> Found:
    """The regular files under ``root`` that match; a link to a regular file counts, a link to a folder is not followed.

    Names that are not UTF-8 are left out, with the reason: a message could not carry them.
    """
    found = Found([], [])
    folders: list[tuple[str, ...]] = [()]
    while folders:
        parts = folders.pop()
        here = os.path.join(root, *parts)  # noqa: PTH118 - a Path for each of many files takes much longer
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in skip:
                            folders.append((*parts, entry.name))
                    elif pattern.matches((*parts, entry.name)) and _is_file(entry):
                        _add(found, entry.path)
        except OSError as error:
            found.left_out.append((_printable(here), error.strerror or str(error)))
    found.files.sort()
    found.left_out.sort()
    return found


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False  # a link that leads to itself


def _add(found: Found, path: str) -> None:
    if _printable(path) == path:
        found.files.append(path)
    else:
        found.left_out.append((_printable(path), "its name is not UTF-8"))


def _printable(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
