"""Which trace a message belongs to, and which span of it the message is.

A trace is a message and all that came of it. Its id is the root message's: a UUID has the 128 bits that a trace id has,
so whoever has one of the two has the other. A message's span has an id that follows from the message's own, so that
everybody knows it without being told: the exporter that makes the span in the end, and before that the handler whose
own spans are to hang below it.

Only a trace that began outside the squad has to travel with the messages, as W3C Trace Context writes it
(https://www.w3.org/TR/trace-context/, version 00): ``00-<trace id>-<span id of the parent>-<flags>``.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

FORM = "00-<32 hexadecimal digits>-<16 hexadecimal digits>-<2 hexadecimal digits>, in small letters"

_SAMPLED = 1
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_LATER = re.compile(r"(?!00|ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}-")  # a version that has more to say
_FORM_LENGTH = 55


class Parent(NamedTuple):
    """A span somewhere, which is the parent of another: the two ids, and the flags of W3C (1: it is recorded)."""

    trace_id: int
    span_id: int
    flags: int = _SAMPLED

    def text(self) -> str:
        """As a ``traceparent``."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.flags:02x}"


def parse(text: str) -> Parent:
    """What a ``traceparent`` says. Raises ValueError for what is none; later versions are read as far as they agree."""
    if _LATER.match(text):
        text = text[:_FORM_LENGTH]
    found = _TRACEPARENT.fullmatch(text)
    if found is None or (text.startswith("00") and len(text) != _FORM_LENGTH):
        raise ValueError(f"must be {FORM}")
    parent = Parent(int(found[1], 16), int(found[2], 16), int(found[3], 16))
    if not parent.trace_id or not parent.span_id:
        raise ValueError("names no trace: an id of zeros is none")
    return parent


def usable(text: str | None) -> str | None:
    """A ``traceparent`` in its plain form; None for what is none, of which W3C wants that it be passed over."""
    try:
        return None if text is None else parse(text.strip()).text()
    except ValueError:
        return None


def trace_id(root_id: str) -> int:
    """Of the trace that begins with this message."""
    digits = root_id.replace("-", "")
    try:
        number = int(digits, 16) if len(digits) == 32 else 0
    except ValueError:
        number = 0
    return number or _digest(root_id, 16)  # an id that somebody wrote by hand


def span_id(message_id: str, *part: object) -> int:
    """Of a message; with ``part`` of something that belongs to it, such as ``("attempt", 2)``."""
    return _digest("/".join([message_id, *map(str, part)]), 8)


def parent_of(root_id: str, parent_id: str | None, traceparent: str | None) -> tuple[int, int | None]:
    """(its trace, the span above it or None) of a message, from what its row says."""
    if traceparent is not None and (outside := usable(traceparent)) is not None:
        found = parse(outside)
        return found.trace_id, found.span_id
    return trace_id(root_id), None if parent_id is None else span_id(parent_id)


def context_of(message_id: str, root_id: str, traceparent: str | None) -> Parent:
    """The message's own span, as the parent of whatever its handler does."""
    own = span_id(message_id)
    if traceparent is not None and (outside := usable(traceparent)) is not None:
        return parse(outside)._replace(span_id=own)
    return Parent(trace_id(root_id), own)


def inherited(message_id: str, traceparent: str | None) -> str | None:
    """What a message that came of this one carries: None where its trace follows from its root."""
    outside = usable(traceparent)
    return None if outside is None else parse(outside)._replace(span_id=span_id(message_id)).text()


def _digest(text: str, size: int) -> int:
    """A number of ``size`` bytes that is not 0."""
    return int.from_bytes(blake2b(text.encode(errors="replace"), digest_size=size).digest()) or 1
