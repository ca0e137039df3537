"""One reading of the squad a second, shared by all who watch it; none while nobody does.

async for beat in pulse.beats():      # a stream; the first beat comes at once
    reading = beat.reading

reading = await pulse.reading()       # a page: the last reading if that is younger than a second
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from squad.errors import SquadError

if TYPE_CHECKING:
    from squad.store.standing import Standing
    from squad.web.gate import Gate

_BEAT = 1.0  # seconds between two readings
_SHARE = 0.02  # of a core that counting what waits may take: it is counted less often while it takes longer


@dataclass(frozen=True, slots=True)
class Reading:
    """``actors`` are the rows of the tree; ``silent`` is why they are not live, "" when they are; ``at`` is in seconds
    since the epoch."""

    at: float
    actors: list[dict[str, Any]]
    silent: str
    standing: Standing


@dataclass(slots=True)
class Beat:
    """``made`` keeps what was made of this reading, by a key, so that it is made once for all who watch the same."""

    reading: Reading
    made: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    async def once(self, key: str, make: Callable[[], Awaitable[str]]) -> str:
        """What ``make()`` gives; of all who ask for the same key one makes it, and the others wait."""
        if key not in self.made:
            self.made[key] = asyncio.ensure_future(make())
            self.made[key].add_done_callback(_heard)
        return await asyncio.shield(self.made[key])


class Pulse:
    """See the module. To be used on one event loop."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lock = asyncio.Lock()
        self._beat: Beat | None = None
        self._read_at = 0.0  # monotonic
        self._standing: Standing | None = None
        self._count_after = 0.0  # monotonic
        self._watching = 0
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    @property
    def watching(self) -> int:
        """How many streams there are."""
        return self._watching

    async def reading(self) -> Reading:
        """Of this second. Raises StoreError."""
        return (await self._fresh()).reading

    async def beats(self) -> AsyncGenerator[Beat]:
        """Each new reading, and at once the last one. Raises StoreError when there is none."""
        self._watching += 1
        try:
            beat = await self._fresh()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run())
            while True:
                yield beat
                beat = await self._next(beat)
        finally:
            self._watching -= 1

    async def _next(self, last: Beat) -> Beat:
        async with self._changed:
            while self._beat is None or self._beat is last:
                await self._changed.wait()
            return self._beat

    async def _run(self) -> None:
        while self._watching:
            await asyncio.sleep(_BEAT)
            try:
                await self._fresh()
            except SquadError:
                continue  # the database is away for the moment; the streams rest
            async with self._changed:
                self._changed.notify_all()

    async def _fresh(self) -> Beat:
        async with self._lock:
            if self._beat is None or time.monotonic() - self._read_at >= _BEAT * 0.9:
                self._beat = Beat(await self._read())
                self._read_at = time.monotonic()
            return self._beat

    async def _read(self) -> Reading:
        now = self._gate.clock.time()
        actors, silent = [] if self._beat is None else self._beat.reading.actors, ""
        try:
            actors = await self._gate.rows()
        except SquadError as error:
            silent = error.message
        standing = self._standing
        if standing is None or time.monotonic() >= self._count_after:
            counted, took = await asyncio.to_thread(self._count, now)
            standing = self._standing = counted
            self._count_after = time.monotonic() + took / _SHARE - _BEAT * 0.5
        return Reading(now, actors, silent, standing)

    def _count(self, now: float) -> tuple[Standing, float]:
        from squad.store.standing import standing

        began = time.thread_time()
        with self._gate.pool.connection() as database:
            return standing(database, now), time.thread_time() - began


def _heard(made: asyncio.Future[str]) -> None:
    """Its error is raised for those who wait; when all have left meanwhile, nobody needs to know of it."""
    if not made.cancelled():
        made.exception()
