"""Maintenance of a database that nobody else uses: all of it at once."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from squad.clock import SYSTEM
from squad.config.schema import StoreConfig
from squad.durations import format_size
from squad.errors import StoreError
from squad.store.upkeep.course import Course, Done, What
from squad.store.writer import Writer

_SLICE = 0.2  # seconds; each is a transaction


def maintain(path: Path, what: What) -> Done:
    """By the terms that the squad had when it ran last. The caller holds the store's lock. Raises StoreError.

    What was under way when the squad was stopped is brought to its end instead.
    """
    with closing(Writer(path, StoreConfig())) as writer:
        course = Course(writer, SYSTEM)
        course.begin("hand", what)
        while (done := course.turn(_SLICE)) is None:
            pass
        return done


def rebuild(path: Path) -> int:
    """Write the whole file anew, without gaps; by how many bytes it has shrunk. The caller holds the store's lock."""
    _must_have_room(path)
    with closing(Writer(path, StoreConfig())) as writer:
        before = writer.tidying.pages()
        writer.tidying.rebuild()
        writer.tidying.checkpoint(truncate=True)
        after = writer.tidying.pages()
        return (before.total - after.total) * after.size


def _must_have_room(path: Path) -> None:
    """A copy of it is made, and written to the log."""
    size = 2 * path.stat().st_size
    found = os.statvfs(path.parent)
    if (free := found.f_bavail * found.f_frsize) < size:
        raise StoreError(
            f"to write {path} anew takes up to {format_size(size)}, and {format_size(free)} are free in {path.parent};"
            " nothing was done",
            hint=f"make room there: df -h {path.parent}",
        )
