"""What follows from a receiver's answer: go on, try again when, with less at once, or pass over what it never takes.

Pure. Nothing is given up because a receiver is away, slow or wrongly set up: it is tried again for as long as that
takes. Only a message that a receiver will not have, while it takes others, is passed over, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MOST = 256  # ends sent at once
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds until it is tried again: at first, then twice as long each time
_LONGEST_ASKED = 600.0  # seconds that a receiver may ask for

Kind = Literal[
    "taken",
    "away",  # it cannot be reached, or has no time now
    "barred",  # it is there and will have nothing from us: wrong keys, wrong address
    "too large",
    "malformed",  # it does not understand something in it
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending. ``why`` is for people. ``rejected``: spans that it threw away though it took the rest."""

    kind: Kind
    why: str = ""
    retry_after: float | None = None  # seconds, if the receiver asked for that
    rejected: int = 0


@dataclass(slots=True)
class Pace:
    """``size``: how many ends to send next; ``pause``: seconds until then."""

    size: int = MOST
    pause: float = 0.0
    _doubted: bool = False  # the message before this one was passed over, and nothing has been taken since

    def after(self, answer: Answer, count: int) -> Literal["go on", "again", "pass over"]:
        """What to do about the ``count`` ends that were sent."""
        match answer.kind:
            case "taken":
                self.size, self.pause, self._doubted = min(MOST, 2 * self.size), 0.0, False
                return "go on"
            case "too large" | "malformed" if count > 1:
                self.size, self.pause = max(1, count // 2), 0.0
                return "again"
            case "too large":
                return "pass over"
            case "malformed" if not self._doubted:
                # Two in a row that it does not understand: more likely it is no receiver of ours at all.
                self._doubted = True
                return "pass over"
        self.pause = min(_LONGEST_PAUSE, 2 * self.pause or _FIRST_PAUSE)
        if answer.retry_after is not None:
            self.pause = max(self.pause, min(answer.retry_after, _LONGEST_ASKED))
        return "again"
