"""Which backup was made last: kept beside the database, since it is asked for when that cannot be read."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from squad.store.times import iso
from squad.store.upkeep.copying import Copy

FILE = "backup.json"  # in the home


@dataclass(frozen=True, slots=True)
class Latest:
    """``at`` is ISO 8601."""

    path: Path
    at: str


def remember(database: Path, made: Copy) -> None:
    """A home that cannot be written to is no reason for a backup to fail."""
    text = json.dumps({"path": str(made.path), "at": iso(time.time()), "schema": made.schema, "bytes": made.bytes})
    new = database.with_name(f"{FILE}.new")
    with contextlib.suppress(OSError):
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(database.with_name(FILE))


def latest(database: Path) -> Latest | None:
    """The backup that was made last, if it is still there."""
    try:
        content = json.loads(database.with_name(FILE).read_bytes())
        found = Latest(Path(content["path"]), str(content["at"]))
        return found if found.path.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
