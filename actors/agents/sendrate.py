"""How fast an agent sends, and which of its messages has the next tokens."""

from __future__ import annotations

import threading
from typing import NamedTuple

from squad.actors.bucket import TokenBucket
from squad.clock import SYSTEM, Clock
from squad.errors import RateLimitError

LONGEST = 60.0  # seconds that a message is put off because of others: it should notice a rate that was raised
_GRACE = 10.0  # seconds that a message may be late; then the tokens that were promised to it are free again


class BeyondBurstError(RateLimitError):
    """The handler sends more than its bucket ever holds: to try again is no use."""


class _Promise(NamedTuple):
    tokens: int
    due: float  # monotonic: when the message is to come for them


class SendRate:
    """An agent's token bucket for what it sends, shared by its handler thread and its actor (see ``squad inspect``).

    Tokens are for what is sent. An attempt that sends nothing after all, however it ends, gives back what it took.

    With ``wait``, a send waits for its token. Without, the attempt ends, and its message is put off until the bucket
    holds all that the attempt has asked for. It must then find them: smaller messages that came meanwhile would take
    them else, one by one, for ever. So they are promised to it, first come, first served.

    ``burst`` is this worker's part of the ``whole`` burst of a convoy; None for an agent alone. A handler may send the
    whole burst, though no worker's bucket holds as much: what is missing is owed. A convoy promises nothing, since
    another worker may have the message the next time.
    """

    def __init__(
        self, per_minute: float, burst: float, *, wait: bool, whole: float | None = None, clock: Clock = SYSTEM
    ) -> None:
        self._clock = clock
        self._bucket = TokenBucket(per_minute, burst, now=clock.monotonic())
        self._whole = whole
        self._lock = threading.Lock()
        self._wait = wait
        self._waits_until = 0.0  # monotonic: when the handler that waits for a token has it
        self._promised: dict[str, _Promise] = {}  # by message, in the order of their turns

    def level(self) -> float:
        with self._lock:
            return self._bucket.level(self._clock.monotonic())

    def set_rate(self, per_minute: float, burst: float, whole: float | None = None) -> None:
        with self._lock:
            self._bucket.set_rate(per_minute, burst, self._clock.monotonic())
            self._whole = whole

    def waits(self) -> float | None:
        """Seconds until the handler that waits for a token has it; None while none waits."""
        return max(0.0, self._waits_until - self._clock.monotonic()) if self._waits_until else None

    def charge(self, stopped: threading.Event, message: str = "", taken: int = 0) -> None:
        """Take one token, in an attempt of ``message`` that has ``taken`` some before.

        Waits for it; raises RateLimitError when told not to wait, or when ``stopped`` is set. Its ``retry_after`` says
        when the attempt would find all its tokens. BeyondBurstError when it never would.
        """
        if not self._wait:
            self._charge_at_once(message, taken)
            return
        while True:
            with self._lock:
                missing = self._bucket.take(self._clock.monotonic())
            if missing <= 0:
                self._waits_until = 0.0
                return
            self._waits_until = self._clock.monotonic() + missing
            if self._clock.wait(stopped, missing):
                self._waits_until = 0.0
                raise _used_up(missing)

    def ended(self, message: str, unsent: int, *, again: bool) -> None:
        """An attempt is over. ``unsent``: the tokens that it took in vain; ``again``: it was put off until there are
        more."""
        with self._lock:
            self._bucket.give_back(self._clock.monotonic(), unsent)
            if not again:
                self._promised.pop(message, None)

    def _charge_at_once(self, message: str, taken: int) -> None:
        with self._lock:
            now, bucket = self._clock.monotonic(), self._bucket
            whole = bucket.burst if self._whole is None else self._whole
            if bucket.burst < taken + 1 <= whole:
                bucket.take(now, floor=-whole)
                return
            others, late = self._promised_before(message, now)
            missing = bucket.take(now, floor=others)
            if missing <= 0:
                return
            if taken + 1 > whole:
                raise BeyondBurstError(
                    f"the send rate allows {whole:g} messages at once, and this handler sends {taken + 1} or more: no "
                    "wait helps (raise send_rate.burst to as many as it sends, or set when_empty: wait, or send fewer)"
                )
            # What it has taken it will give back, so that the one token it misses is all that it misses.
            alone = missing - others * 60 / bucket.per_minute
            seconds = max(alone, min(missing, LONGEST), late)
            if message and self._whole is None:
                self._promised[message] = _Promise(taken + 1, now + seconds)
        raise _used_up(seconds)

    def _promised_before(self, message: str, now: float) -> tuple[int, float]:
        """Tokens that are promised to messages whose turn is before this one's; and how long to wait at least, because
        one of them is late: as long again, but not after its promise has lapsed."""
        tokens, wait = 0, 0.0
        for other, promise in list(self._promised.items()):
            late = now - promise.due
            if late > _GRACE:
                del self._promised[other]
            elif other == message:
                break
            else:
                tokens += promise.tokens
                wait = max(wait, min(late, _GRACE - late))
        return tokens, wait


def _used_up(seconds: float) -> RateLimitError:
    error = RateLimitError(
        f"the send rate is used up: try again in {seconds:.1f} s",
        hint="raise send_rate in the configuration, or let it wait: when_empty: wait",
    )
    error.retry_after = seconds
    return error
