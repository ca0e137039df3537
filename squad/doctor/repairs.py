"""What ``--fix`` does: only what harms nothing. Each says what it did, or "" when there was nothing to do any more."""

from __future__ import annotations

from squad.doctor.life import named, stale_files
from squad.doctor.subject import Subject
from squad.launcher import lock, remains


def close_home(subject: Subject) -> str:
    """Take the home's permissions from others. Raises HomeError for a folder that is no home."""
    return subject.home.check()


def clear_leftovers(subject: Subject) -> str:
    """End the processes and remove the files of a killed squad, holding its lock so that none starts meanwhile.

    Raises AlreadyRunningError when one was started since.
    """
    path = subject.home.path
    held = lock.acquire(path)  # this empties the file that named the launcher
    try:
        before = stale_files(subject.home)
        ended = remains.clear(path)
        (path / "control.new").unlink(missing_ok=True)
    finally:
        held.release()
    done = [f"ended {remains.counted(ended)} of a killed squad"] if ended else []
    removed = [file for file in before if file.name != lock.FILE]
    done += [f"removed {named(removed)}"] if removed else []
    return ", ".join(done) or f"emptied {lock.FILE}, which named a launcher that is gone"
