"""The file in which every run of a handler is noted, so that it is known afterwards what ran more than once.

A line for the beginning of a run and one for its end, ``b AGENT MESSAGE_ID ATTEMPT`` and ``e …``. They are appended by
many processes, a line in one write, and outlive them all. The store knows nothing of it.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

FILE = "runs"


def note(folder: str | Path, mark: str, agent: str, message_id: str, attempt: int) -> None:
    """Append one line; ``mark`` is ``b`` or ``e``."""
    descriptor = os.open(Path(folder) / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{mark} {agent} {message_id} {attempt}\n".encode())
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class Runs:
    """How often the handler of each message has begun, and how often it came to its end. By message id."""

    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


def read(folder: Path) -> Runs:
    """Everything that was noted."""
    runs = Runs()
    path = folder / FILE
    if path.exists():
        with path.open(encoding="ascii") as lines:
            for line in lines:
                mark, _, message_id, _ = line.split()
                (runs.begun if mark == "b" else runs.ended)[message_id] += 1
    return runs
