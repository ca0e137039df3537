"""What a squad measures of itself, in one place: every metric, its unit, and what it is about.

Metrics are kept in the store (``squad.store.metrics``) as points: what was recorded in a minute, later in ten minutes,
later in an hour. Agents record their own with ``ctx.metric``. ``docs/events.md`` lists what is here, and
``docs/metrics.md`` says how to read it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
"""``counter``: how many, or how much, there was. ``gauge``: a reading of something that goes up and down.
``histogram``: values of which percentiles are wanted."""

KINDS: tuple[Kind, ...] = ("counter", "gauge", "histogram")

MOST_OWN = 100
"""Names of own metrics that one agent may use."""


@dataclass(frozen=True, slots=True)
class Metric:
    """``labels`` are those of its series, ``agent`` and ``type``; none: it is the squad's or the machine's."""

    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str


_AGENT = ("agent",)
_BOTH = ("agent", "type")
_EACH = "messages"

CATALOGUE: dict[str, Metric] = {
    "queued": Metric(
        "counter", _EACH, _BOTH, "Messages that were accepted and stored, and dead letters that were put back."
    ),
    "completed": Metric("counter", _EACH, _BOTH, "Messages whose handler ended well."),
    "retried": Metric("counter", _EACH, _BOTH, "Failed attempts after which a message went back to the queue."),
    "failed": Metric("counter", _EACH, _BOTH, "Messages that became dead letters."),
    "expired": Metric(
        "counter", _EACH, _BOTH, "Messages whose time to live ran out, or that a full queue dropped for newer ones."
    ),
    "cancelled": Metric("counter", _EACH, _BOTH, "Messages that were cancelled."),
    "handling_ms": Metric("histogram", "milliseconds", _BOTH, "How long the handlers of completed messages ran."),
    "waiting_ms": Metric(
        "histogram",
        "milliseconds",
        _BOTH,
        "How long completed messages had waited for their handlers, from when they were ready: a delay, or the backoff "
        "before a retry, does not count.",
    ),
    "queue_depth": Metric(
        "gauge", _EACH, _AGENT, "Messages that wait for an agent, delayed ones included. None for one that stays empty."
    ),
    "restarts": Metric(
        "counter", "restarts", _AGENT, "Processes that ended and were started again, though not by hand."
    ),
    "uptime_percent": Metric(
        "gauge",
        "percent",
        _AGENT,
        "Part of the time in which an agent's process was there and answered; of a convoy's workers on average. While "
        "it is stopped or restarted on purpose no time counts.",
    ),
    "cpu_percent": Metric(
        "gauge",
        "percent of one core",
        _AGENT,
        "Processor time of an agent's process and all below it; of a convoy: its workers' sum. Parts of the core have "
        "it too.",
    ),
    "memory_bytes": Metric("gauge", "bytes", _AGENT, "Resident memory, likewise."),
    "convoy_size": Metric("gauge", "workers", _AGENT, "Workers of a convoy."),
    "machine_cpu_percent": Metric("gauge", "percent of all cores", (), "Processor time of the whole machine."),
    "machine_memory_percent": Metric("gauge", "percent", (), "Memory of the machine that is in use."),
    "machine_available_bytes": Metric("gauge", "bytes", (), "Memory of the machine that is available."),
    "processes": Metric("gauge", "processes", (), "Processes of the squad: its core, agents and workers."),
    "throttle_seconds": Metric(
        "gauge", "seconds", (), "Pause between two hand-outs of messages, because the machine is overloaded."
    ),
    "transaction_ms": Metric("histogram", "milliseconds", (), "Transactions of the storage, from begin to committed."),
    "commit_ms": Metric("histogram", "milliseconds", (), "What of that the commit took, with the wait for the disk."),
}
"""Every metric that Squad records itself."""

MOST_VALUES = 1000
"""Values of own metrics that one message may record."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Own:
    """The own metrics of an agent, as far as its process knows them: each name has one kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def check(self, name: str, value: float, kind: Kind) -> float:
        """The value of an own metric. Raises ValueError for a bad name, value or kind, which says what is wrong."""
        number = _checked(name, value, kind)
        known = self._kinds.get(name)
        if known is None:
            if len(self._kinds) >= MOST_OWN:
                raise ValueError(
                    f"{name!r} would be one too many: an agent has at most {MOST_OWN} metrics of its own; what varies "
                    "belongs into their values, not into their names"
                )
            self._kinds[name] = kind
        elif known != kind:
            raise ValueError(f"the metric {name!r} is a {known}, and cannot be a {kind} as well")
        return number


def _checked(name: object, value: object, kind: object) -> float:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name for a metric: lower-case letters, digits and _, the first a letter, at most 64"
        )
    if name in CATALOGUE:
        raise ValueError(f"{name!r} is a metric of Squad's own: choose another name")
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of metric: {', '.join(KINDS)}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"the value of a metric is a number, and {value!r} is none")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"the value of the metric {name!r} is {value!r}: it must be finite")
    if kind == "counter" and number < 0:
        raise ValueError(f"the counter {name!r} only grows: {value!r} is negative; a gauge may fall")
    return number
