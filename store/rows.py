"""The rows that cross the store's border: plain, picklable, and in units that SQL and people share.

Times are seconds since the epoch (float) here and ISO 8601 UTC text in the tables.
"""

from __future__ import annotations

from typing import NamedTuple

from squad.metrics import Kind

ENDED = ("crash", "hung", "ceiling")
"""How an attempt fails with its process: it died, or was ended because it was silent, or took too much."""


class NewTask(NamedTuple):
    """A message to be stored. ``payload`` is JSON text that was checked against its type."""

    task_id: str
    sender: str
    recipient: str
    type: str
    payload: str
    priority: int = 5
    parent_id: str | None = None
    root_id: str | None = None  # None: this message is its own root
    not_before: float | None = None
    key: str | None = None
    expires_at: float | None = None  # from then on it is not handled any more, but `expired`
    reply_to: str | None = None  # the agent that is told, by a message, how this one ends
    reply_timeout: float | None = None  # seconds that this may take, counted from when it may first be handled
    traceparent: str | None = None  # its place in a trace that began outside (squad.trace); None: in that of its root

    def delayed_until(self, now: float) -> float | None:
        """``not_before`` while it lies ahead; None for what is ready."""
        return self.not_before if self.not_before is not None and self.not_before > now else None

    def reply_due(self, now: float) -> float | None:
        """When the sender is told that no reply came in time."""
        if self.reply_to is None or self.reply_timeout is None:
            return None
        return (self.delayed_until(now) or now) + self.reply_timeout


class Submitted(NamedTuple):
    """What became of a NewTask: the id under which it is stored; ``duplicate`` when it was there before."""

    task_id: str
    duplicate: bool


class Refusal(NamedTuple):
    """Why messages were not stored. ``full``: because a mailbox is, as ``error`` says."""

    error: str
    hint: str = ""
    full: bool = False


class Lease(NamedTuple):
    """A claimed message. ``row`` and ``fence`` name the claim: an outcome is accepted under exactly this pair."""

    row: int
    fence: int
    task_id: str
    sender: str
    type: str
    payload: str
    priority: int
    attempt: int  # 1 for the first
    root_id: str
    traceparent: str | None = None  # of a trace that began outside

    @property
    def claim(self) -> tuple[int, int]:
        return self.row, self.fence


class Outcome(NamedTuple):
    """How a lease ended.

    ``kind``:
      ``done``      completed; ``result`` is JSON text
      ``error``     an attempt failed: retried with backoff, or dead after the last
      ``timeout``   likewise; the handler ran too long
      ``refused``   dead at once
      ``retry``     given back until ``not_before``; not an attempt
      ``limited``   likewise; a token bucket was empty
      ``returned``  never begun; given back at once; not an attempt
      ``cancelled`` ended because the message was cancelled
    ``sends``, ``state`` and ``metrics`` take effect only with ``done``. ``state`` is the agent's whole new state as
    JSON text, None when unchanged, and is accepted only on top of ``state_version``.
    """

    row: int
    fence: int
    kind: str
    started: float = 0.0
    duration_ms: float = 0
    result: str | None = None
    error: str = ""
    not_before: float | None = None
    sends: tuple[NewTask, ...] = ()
    state: str | None = None
    state_version: int = 0
    metrics: tuple[tuple[str, Kind, float], ...] = ()  # (name, kind, value) of the agent's own

    @property
    def claim(self) -> tuple[int, int]:
        return self.row, self.fence


class Running(NamedTuple):
    """A lease that is out: who has it, and what for."""

    row: int
    fence: int
    worker: str
    recipient: str


class DeadFilter(NamedTuple):
    """Which dead letters; None: all. ``since`` is when they died, in seconds since the epoch; ``error`` is a part of
    their error's text, in upper or lower case."""

    agent: str | None = None
    type: str | None = None
    since: float | None = None
    error: str | None = None
