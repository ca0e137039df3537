"""What came of a change to messages: for whoever waits for their ends, and for whoever hands out what is ready."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Settlement:
    """See the module. Several add up to one."""

    accepted: list[bool] = field(default_factory=list)
    """For each outcome or lease, in order. False: it had no effect, because the claim is no longer the worker's, its
    state was out of date, or its message's tree was cancelled."""
    ended: list[tuple[str, str, str]] = field(default_factory=list)
    """(task_id, root_id, status) of the messages that have ended."""
    woken: set[str] = field(default_factory=set)
    """Recipients that have messages ready which they had not before."""
    next_due: float | None = None
    """When the first thing that waits for its time is due, of those that changed; seconds since the epoch."""

    def add(self, other: Settlement) -> None:
        self.accepted += other.accepted
        self.ended += other.ended
        self.woken |= other.woken
        self.due(other.next_due)

    def due(self, *times: float | None) -> None:
        """Something is due then; None: nothing is."""
        for time in times:
            if time is not None and (self.next_due is None or time < self.next_due):
                self.next_due = time

    def queued(self, recipient: str, not_before: float | None) -> None:
        """A message is in the queue again, or newly; ready when ``not_before`` is None."""
        if not_before is None:
            self.woken.add(recipient)
        else:
            self.due(not_before)
