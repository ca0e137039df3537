"""Whether the supervisor stands still: it has an eye on everybody else, and the launcher has one on it.

A supervisor that is well runs every few seconds, if only for its timers, and the kernel counts how often it went back
to sleep or was put aside (proc(5): ``voluntary_ctxt_switches`` and the other). Where that stays the same it is stopped,
or blocked for good. So nobody has to say anything, and a machine on which it hardly gets on is no reason to end it.
"""

from __future__ import annotations

from pathlib import Path

EVERY = 5.0  # seconds between two looks, at most
_LEAST = 10.0  # seconds without a run that mean something: it has a timer every five


class Vigil:
    """Of the process ``pid``; ``now`` is monotonic, in seconds, here and below. ``look`` is to be called at ``due``."""

    def __init__(self, pid: int, now: float) -> None:
        self._pid = pid
        self._runs = _runs(pid)
        self._counted = False  # whether the kernel counts at all: the number has changed once
        self._ran = self._looked = now

    @property
    def due(self) -> float:
        return self._looked + EVERY

    def look(self, now: float, hung_after: float) -> float:
        """For how many seconds it has stood still; 0 unless it is longer than ``hung_after``, and than a moment.

        When the look itself comes late, this process was stopped, perhaps with all the others: then it begins anew.
        """
        late = now - self._looked > 2 * EVERY
        self._looked = now
        runs = _runs(self._pid)
        changed = runs is not None and runs != self._runs
        self._counted = self._counted or changed
        if late or changed or not self._counted:
            self._runs, self._ran = runs, now
        still = now - self._ran
        return still if still >= max(hung_after, _LEAST) else 0.0


def _runs(pid: int) -> int | None:
    """How often it has stopped running; None where the kernel does not say, or it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    counts = [int(line.split()[1]) for line in lines if "voluntary_ctxt_switches:" in line]
    return sum(counts) if counts else None
