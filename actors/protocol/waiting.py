"""What is on hold, and why something waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from squad.actors.protocol.address import Address
from squad.errors import SquadError


@dataclass(frozen=True, slots=True)
class Hold:
    """Gateway to storage: hand out nothing more to ``names`` or to anybody, or do so again. Answered by HoldDone.

    ``names`` are recipients (resume, none named: all that are paused); for freeze and thaw it is the squad's own.
    ``grace``: seconds that running handlers have in a squad that is frozen; None: they may finish.
    """

    request: str
    action: Literal["pause", "resume", "freeze", "thaw", "look"]  # look: only say what is on hold
    names: tuple[str, ...]
    by: str = ""
    reason: str = ""
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class HoldDone:
    """``changed`` are the names for which it made a difference; ``holds``: all that is on hold now, as text."""

    request: str
    changed: tuple[str, ...] = ()
    holds: str = ""
    error: SquadError | None = None  # set: nothing was done


@dataclass(frozen=True, slots=True)
class Recall:
    """Storage to worker: its recipient is on hold, so give back what was not begun. Said again whenever the worker is
    heard of."""


@dataclass(frozen=True, slots=True)
class Held:
    """Storage to supervisor, and from there to gateway and scheduler: this is on hold now (squad.store.holds)."""

    holds: str


@dataclass(frozen=True, slots=True)
class Explain:
    """Gateway to supervisor: how does it stand with this recipient? Answered by Explained."""

    request: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Explained:
    """``about`` is a mapping: see squad.actors.supervision.explaining."""

    request: str
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """Gateway to supervisor, and from there to the worker: what are you at? It answers to ``reply_to`` with Doing."""

    request: str
    worker: str
    reply_to: Address = None


@dataclass(frozen=True, slots=True)
class Doing:
    """Worker to gateway: what it is at. ``hand``: the message of the handler that runs, its type, and since when.

    ``tokens`` of its handle rate, and the seconds until there is one; None without a rate. ``waits_to_send``: seconds
    until its handler, which waits for its send rate, may send.
    """

    request: str
    held: int
    hand: tuple[str, str, float] | None
    tokens: float | None
    next_token: float | None
    waits_to_send: float | None
