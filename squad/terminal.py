"""Making text safe to show. What a message brought may hold control characters that would steer the terminal."""

from __future__ import annotations

import os
import re

# Control characters (C0, DEL, C1), line and paragraph separators, marks that reorder text, invisible tags, and lone
# surrogates, which no encoding can write.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f\ud800-\udfff]"
)
_UNSAFE_IN_LINES = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


def escape(text: str, *, lines: bool = False) -> str:
    """``text`` with every unsafe character written as in Python: ``\\x1b``. ``lines`` keeps line feeds."""
    return (_UNSAFE_IN_LINES if lines else _UNSAFE).sub(_written, text)


def colours(descriptor: int) -> bool:
    """Whether colours may be written to it: a terminal that knows them, of somebody who has not set NO_COLOR."""
    return os.isatty(descriptor) and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def _written(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
