"""How many workers a convoy has. Pure: readings in, a size and its reason out."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 100  # workers of one convoy, whatever the machine


def ceiling(minimum: int, maximum: int, available: int, per_worker: int, cores: int) -> int:
    """The most workers that memory and cores allow, between ``minimum`` and ``maximum``.

    ``available`` is the memory, in bytes, that the convoy's workers could have in all; ``per_worker`` what one needs.
    """
    return max(minimum, min(maximum, available // max(1, per_worker), 2 * cores, MOST))


@dataclass(slots=True)
class Sizer:
    """Decides a convoy's size from one reading after another; keeps how many in a row have said the same.

    Growth needs ``grow_after`` readings in a row with waiting work (more queued than idle workers could take) and with
    CPU and memory under their thresholds (percent of the machine). It adds as many workers as there are messages
    waiting, but at most doubles the convoy, so that one wrong reading cannot start a crowd.

    Shrinking goes by one worker: after ``shrink_after`` readings in a row with a worker idle and nothing for it, and
    at every reading with memory over its threshold. It is slower than growth because a start costs more than an idle
    worker does. Never below ``minimum``.

    About the CPU threshold: a convoy's own workers are what makes a CPU busy, and two of them on two cores read 100 %.
    That is the convoy doing its work, not overload. So a CPU over its threshold stops growth beyond one worker a core,
    where more workers would only share the same cores; up to one a core the convoy may always grow, and it never
    shrinks for CPU. Workers that wait (for a network, a command) leave the CPU low, and these convoys grow on.

    About memory: what the convoy's workers hold already is counted as available to them. Otherwise each worker started
    would lower the ceiling that allowed it, and the size would swing for ever.
    """

    minimum: int
    maximum: int
    grow_after: int
    shrink_after: int
    cpu_threshold: float
    memory_threshold: float
    _waiting_in_a_row: int = field(default=0, init=False)
    _idle_in_a_row: int = field(default=0, init=False)

    def decide(  # noqa: PLR0913, PLR0917 - one reading
        self,
        size: int,
        queued: int,
        busy: int,
        cpu: float,
        memory: float,
        available: int,
        per_worker: int,
        cores: int,
    ) -> tuple[int, str] | None:
        """The new size and why, or None to leave it.

        ``size`` workers are wanted now, ``busy`` of them handle a message, ``queued`` messages are ready for them.
        ``cpu`` and ``memory`` are the machine's, in percent. ``available`` is the machine's free memory and
        ``per_worker`` what one worker takes, in bytes.
        """
        idle = max(0, size - busy)
        most = ceiling(self.minimum, self.maximum, available + size * per_worker, per_worker, cores)
        room = most if cpu < self.cpu_threshold else min(most, cores)
        full = memory >= self.memory_threshold
        waiting = queued - idle
        grows = waiting > 0 and not full and size < room
        self._waiting_in_a_row = self._waiting_in_a_row + 1 if grows else 0
        self._idle_in_a_row = self._idle_in_a_row + 1 if waiting < 0 else 0

        readings = f"{queued} waiting, {busy} of {size} busy, CPU {cpu:.0f} %, memory {memory:.0f} %"
        if size < self.minimum:
            return self._changed(self.minimum, f"below its minimum of {self.minimum}: {readings}")
        if size > most:
            return self._changed(most, f"above its ceiling of {most} ({cores} cores): {readings}")
        if full and size > self.minimum:
            return self._changed(size - 1, f"memory is over {self.memory_threshold:.0f} %: {readings}")
        if self._waiting_in_a_row >= self.grow_after and grows:
            return self._changed(min(room, size + min(waiting, max(1, size))), f"work is waiting: {readings}")
        if self._idle_in_a_row >= self.shrink_after and size > self.minimum:
            return self._changed(size - 1, f"workers are idle: {readings}")
        return None

    def _changed(self, size: int, reason: str) -> tuple[int, str]:
        self._waiting_in_a_row = self._idle_in_a_row = 0
        return size, reason
