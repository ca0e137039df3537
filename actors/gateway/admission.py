"""The limit on what all clients outside may send together."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from squad.actors.bucket import TokenBucket
from squad.errors import RateLimitError

if TYPE_CHECKING:
    from squad.config.pace import RateConfig

LONGEST_WAIT = 20.0  # seconds that an answer is delayed; then the send is refused after all


class Admission:
    """A token bucket for ``limits.clients``; with ``rate`` None everything is admitted. For one event loop."""

    def __init__(self, rate: RateConfig | None) -> None:
        self._rate = rate
        self._bucket = None if rate is None else TokenBucket(rate.per_minute, rate.burst, now=time.monotonic())
        self._turn = asyncio.Lock()  # first come, first served

    @property
    def tokens(self) -> float | None:
        return None if self._bucket is None else round(self._bucket.level(time.monotonic()), 1)

    async def charge(self, messages: int) -> None:
        """Charge a send of so many messages; waits for tokens when the configuration says so.

        Raises RateLimitError when they are not there, or not within 20 seconds. A batch that is larger than the burst
        goes through when the bucket is full, and the next send waits for all of it.
        """
        if self._bucket is None or self._rate is None:
            return
        if self._rate.when_empty == "raise":
            missing = self._bucket.take(time.monotonic(), messages)
            if missing:
                raise self._limited(self._bucket, missing)
            return
        try:
            async with asyncio.timeout(LONGEST_WAIT), self._turn:
                while missing := self._bucket.take(time.monotonic(), messages):
                    await asyncio.sleep(missing)
        except TimeoutError:
            missing = self._bucket.take(time.monotonic(), messages)
            if missing:
                raise self._limited(self._bucket, missing) from None

    def _limited(self, bucket: TokenBucket, seconds: float) -> RateLimitError:
        error = RateLimitError(
            f"clients may send {bucket.per_minute:g} messages a minute, {bucket.burst:g} at once: "
            f"try again in {seconds:.1f} s",
            hint="limits.clients in the configuration sets this",
        )
        error.retry_after = seconds
        return error
