"""The built-in message types by which the squad tells an agent something.

``squad.quarantined`` is for the agent that ``supervision.notify`` names, ``squad.bottlenecks`` for the one that
``bottlenecks.tell`` names, ``squad.alert`` for the sinks of alerts:

    @handles(Alert)
    def alert(self, msg: Alert, ctx: Context) -> None:
        if msg.state == "fired":
            mail("squad", msg.summary)
"""

from __future__ import annotations

from typing import Any

from squad.messages import message

QUARANTINED = "squad.quarantined"
ALERT = "squad.alert"
BOTTLENECKS = "squad.bottlenecks"


@message(QUARANTINED)
class Quarantined:
    """An agent, or a worker of a convoy, crashed too often and is not started again until ``squad restart NAME``.

    ``reason`` is how it ended the last time.
    """

    agent: str
    reason: str


@message(ALERT)
class Alert:
    """Something is wrong, still is (``state`` is ``fired``, ``reminded``), or is no more (``cleared``).

    ``agent`` is null for what is about the squad or the machine. ``value`` and ``threshold`` are in the ``unit``, and
    null where there is none. Times are ISO 8601: ``at`` of this news, ``fired_at`` of the first. ``todo`` is the
    command to begin with. ``id`` is the incident's: the same in all news of it.
    """

    id: str
    rule: str
    state: str
    severity: str
    squad: str
    agent: str | None
    summary: str
    value: float | None
    threshold: float | None
    unit: str
    fired_at: str
    at: str
    todo: str


@message(BOTTLENECKS)
class Bottlenecks:
    """What was slow from ``since`` to ``until`` (ISO 8601): handlers that ran for ``slower_than_ms`` or longer.

    ``count`` messages were completed by such; ``tasks`` are the slowest of them, the slowest first. ``running`` became
    as slow in that time and are not done yet. ``agents`` and ``types`` are percentiles of all that was handled then,
    the slowest first; empty while metrics are off. The fields of all four are those of ``squad bottlenecks -o json``
    (docs/json.md).
    """

    since: str
    until: str
    slower_than_ms: int
    count: int
    tasks: list[dict[str, Any]]
    running: list[dict[str, Any]]
    agents: list[dict[str, Any]]
    types: list[dict[str, Any]]
