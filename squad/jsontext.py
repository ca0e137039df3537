"""JSON as text that a row holds and a packet carries: compact, and strict about what JSON has no words for."""

from __future__ import annotations

import json
from typing import Any, NoReturn

compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
"""The shortest text for a value. Raises TypeError, ValueError and RecursionError for what JSON cannot say, and for NaN.

Half a character passes; ``text.encode()`` finds it.
"""


def parse_json(text: str | bytes) -> Any:
    """The value. Raises ValueError, also for NaN and Infinity, which Python reads; and RecursionError."""
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it has no number {name}")
