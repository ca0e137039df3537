"""Having a home to oneself, for what must not be done beside a squad."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from squad.errors import AlreadyRunningError
from squad.home import Home

_STORAGE_WAIT = 1.0  # seconds for its lock


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Hold what a squad would need to start here. Raises AlreadyRunningError or StoreError, which name who has it."""
    from squad.launcher import lock
    from squad.store.lock import acquire

    try:
        held = lock.acquire(home.path)
    except AlreadyRunningError as error:
        if (holder := home.launcher()) is not None and holder.pid is not None:
            raise AlreadyRunningError(error.message, hint="squad stop") from None  # a second squad would be no help
        raise
    try:
        storage = acquire(home.path / "storage.lock", _STORAGE_WAIT)
        try:
            yield
        finally:
            storage.release()
    finally:
        held.release()
