"""Message ids: UUIDv7 (RFC 9562, section 5.7), so that they sort by the time they were made."""

from __future__ import annotations

import hashlib
import os
import threading
import time

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def new_id() -> str:
    """A new id, 36 characters. Ids made by one process sort in the order in which they were made.

    The 12 bits after the millisecond are a counter (RFC 9562, 6.2, method 1); when it is used up within one
    millisecond, or the clock steps back, the time part runs ahead of the clock.
    """
    global _last_ms, _counter  # noqa: PLW0603 - one sequence for the process
    with _lock:
        now = time.time_ns() // 1_000_000
        if now > _last_ms:
            _last_ms, _counter = now, 0
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, 0
        ms, counter = _last_ms, _counter
    return _text(ms, counter, int.from_bytes(os.urandom(8)))


def derived_id(at: float, seed: str) -> str:
    """The id of something planned for ``at`` (seconds since the epoch): always the same one for the same ``seed``.

    It has the form of the others and sorts among them by that time; its other bits are taken from a hash of the seed.
    """
    digest = int.from_bytes(hashlib.sha256(seed.encode()).digest())
    ms = int(at * 1000) & 0xFFFF_FFFF_FFFF
    return _text(ms, digest & 0xFFF, digest >> 12)


def _text(ms: int, high: int, low: int) -> str:
    """The id of 48 bits, 12 bits, and the lowest 62 of ``low``. (``uuid.UUID`` takes four times as long.)"""
    value = (ms << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | (low & 0x3FFF_FFFF_FFFF_FFFF)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
