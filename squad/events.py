"""What can happen in a squad, in one place: every kind of event, what it means, and what its details say.

Some events are rows of the table ``events``, recorded with ``event``. Those of messages would be too many rows: they
are derived from the times in the tables of messages when they are read (``squad.store.history``). ``docs/events.md`` is
made from here:

    python -m squad.events > docs/events.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from squad.metrics import CATALOGUE as METRICS

RecordedKind = Literal[
    "alert_acked",
    "alert_cleared",
    "alert_fired",
    "alert_reminded",
    "alert_silenced",
    "alert_unsilenced",
    "disrupted",
    "dropped",
    "edited",
    "ended",
    "frozen",
    "maintained",
    "near_ceiling",
    "over_ceiling",
    "overloaded",
    "paused",
    "quarantined",
    "queue_warning",
    "ready",
    "relieved",
    "reloaded",
    "replayed",
    "restarted",
    "resumed",
    "schedule_missed",
    "stopped",
    "thawed",
    "throttled",
]
"""The kinds that are recorded as they happen."""


@dataclass(frozen=True, slots=True)
class Kind:
    """``meaning`` and the meanings of the ``fields`` are for people; ``subject`` says what the event is about."""

    meaning: str
    subject: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Event(NamedTuple):
    """A row of the table ``events`` that is to be. Made by ``event`` alone. ``detail`` is a JSON object as text."""

    kind: str
    subject: str
    detail: str


def event(kind: RecordedKind, subject: str, **detail: Any) -> Event:
    """An event to record: ``Record(events=(event("restarted", "checker-2", reason="its process died"),))``.

    ``detail`` holds plain JSON values under the names that the catalogue gives for this kind. Raises ValueError for
    another kind or another name; a test looks for that in every call.
    """
    if kind not in RECORDED:
        raise ValueError(f"{kind!r} is no kind of event that is recorded: see squad.events")
    if surplus := sorted(detail.keys() - RECORDED[kind].fields.keys()):
        raise ValueError(f"an event {kind!r} has no details called {', '.join(surplus)}: see squad.events")
    return Event(kind, subject, json.dumps(detail))


BY_HAND = "by hand"
"""As the reason of ``restarted``: `squad restart`. It is no restart that the metric of that name counts."""

_MESSAGE = "a message's id"
_PROCESS = "an agent, a worker of a convoy, or a part of the core"
_OF_A_MESSAGE = {"agent": "its recipient", "type": "its type"}
_CAUSE = {"cause": "`crash`, `hung`, `start`, `ceiling` or `timeout`; null: on purpose, or with its group"}
_SUBJECT_OF_AN_ALERT = "the agent or convoy; or the squad, when it is about the squad or the machine"
_OF_AN_ALERT = {"rule": "the rule", "id": "the alert's id"}
_BY = {"by": "who did it, if that was said"}

DERIVED: dict[str, Kind] = {
    "queued": Kind(
        "A message was accepted and stored.",
        _MESSAGE,
        _OF_A_MESSAGE | {"sender": "who sent it", "priority": "1 (highest) to 10"},
    ),
    "started": Kind(
        "A worker has it: while it runs the time is that of the hand-over, afterwards that at which the handler began.",
        _MESSAGE,
        _OF_A_MESSAGE | {"worker": "which worker"},
    ),
    "retried": Kind(
        "An attempt at it failed, and it went back to the queue, to be tried again when its policy says.",
        _MESSAGE,
        _OF_A_MESSAGE
        | {
            "worker": "which worker had it",
            "attempt": "the number of that attempt, from 1",
            "outcome": "`error`, `timeout`, `crash`, `hung` or `ceiling`",
            "error": "the error, with its traceback",
        },
    ),
    "completed": Kind(
        "Its handler ended well.",
        _MESSAGE,
        _OF_A_MESSAGE | {"worker": "which worker handled it", "duration_ms": "how long the handler ran, milliseconds"},
    ),
    "failed": Kind(
        "It was refused, or its last attempt failed: it is a dead letter.",
        _MESSAGE,
        _OF_A_MESSAGE
        | {
            "worker": "which worker had it",
            "attempt": "the number of its last attempt, from 1; a replay goes on counting",
            "outcome": "`refused`, `error`, `timeout`, `crash`, `hung` or `ceiling`",
            "error": "the error, with its traceback",
        },
    ),
    "cancelled": Kind("It was cancelled.", _MESSAGE, _OF_A_MESSAGE | {"error": "by whom or why, if that is known"}),
    "expired": Kind(
        "Its time to live ran out before it was handled, or a full queue dropped it for a newer message.",
        _MESSAGE,
        _OF_A_MESSAGE | {"error": "which of the two"},
    ),
    "resized": Kind(
        "A convoy was given another size.",
        "the convoy",
        {"from": "workers before", "to": "workers after", "reason": "why"},
    ),
}
"""The kinds that are read from other tables."""

RECORDED: dict[str, Kind] = {
    "restarted": Kind(
        "A process ended and is started again.",
        _PROCESS,
        {"reason": f"how it ended; `{BY_HAND}`: `squad restart NAME` was said, and it may finish what it has in hand"}
        | _CAUSE,
    ),
    "quarantined": Kind(
        "A process ended too often and is not started again until `squad restart NAME`.",
        _PROCESS,
        {"reason": "how it ended the last time"} | _CAUSE,
    ),
    "disrupted": Kind(
        "The database could not be written, and can be again. Nothing was stored or handed out meanwhile.",
        "the storage",
        {"reason": "what was wrong", "seconds": "for how long"},
    ),
    "near_ceiling": Kind(
        "A process has come near its ceiling of memory, or was over that of CPU for a part of the window.",
        _PROCESS,
        {"reason": "how much it takes, and what its ceiling is"},
    ),
    "over_ceiling": Kind(
        "A process broke its ceiling of memory or CPU: it was ended, as by a crash, and is started again.",
        _PROCESS,
        {"reason": "how much it took, and what its ceiling is"},
    ),
    "overloaded": Kind(
        "The machine is overloaded: from now on a pause lies between two hand-outs of messages to workers.",
        "the squad",
        {"reason": "the readings"},
    ),
    "relieved": Kind(
        "It is overloaded no more, and messages are handed out at once.", "the squad", {"reason": "likewise"}
    ),
    "ready": Kind("An agent or worker can take messages, after a start or a restart.", _PROCESS, {}),
    "stopped": Kind(
        "An agent or worker was stopped: with the squad, because its convoy shrank, or by a reload.",
        _PROCESS,
        {"reason": "why"},
    ),
    "throttled": Kind(
        "An agent has used up its send rate: what it sends from now on waits for tokens, or is refused, as configured.",
        "an agent, or a worker of a convoy",
        {"per_minute": "its rate, messages a minute"},
    ),
    "ended": Kind(
        "A process ended and is not started again, as its `restart` says.",
        _PROCESS,
        {"reason": "how it ended"} | _CAUSE,
    ),
    "reloaded": Kind(
        "The configuration was read anew and what had changed was done.",
        "the squad",
        {
            "started": "agents and convoys that are new",
            "stopped": "those that are gone",
            "restarted": "those that changed",
            "resized": "convoys with other bounds",
            "changed": "settings that changed without a restart",
        },
    ),
    "queue_warning": Kind(
        "Many messages wait for an agent. It is said once for each mark that is passed, until the queue is well below.",
        "the agent or convoy",
        {
            "queued": "how many wait",
            "limit": "the bound, `queue.limit`",
            "mark": "`warning`: the part of the bound that `queue.warn_at` names; `full`: the bound itself",
        },
    ),
    "schedule_missed": Kind(
        "Planned times of a schedule passed by more than a minute without a run, as a rule because the squad was down.",
        "the schedule",
        {
            "missed": "how many times; counting ends at 1000",
            "first": "the first of them",
            "last": "the last of them",
            "action": "what is done",
        },
    ),
    "paused": Kind(
        "An agent or a convoy was paused by hand: it is given no new message.",
        "the agent or convoy",
        _BY | {"reason": "why"},
    ),
    "resumed": Kind("A paused agent or convoy was let go on by hand.", "the agent or convoy", _BY),
    "frozen": Kind(
        "The squad was frozen by hand: nobody is given a new message.",
        "the squad",
        _BY | {"reason": "why", "grace": "seconds that running handlers have; null: they may finish"},
    ),
    "thawed": Kind("The frozen squad was let go on by hand.", "the squad", _BY),
    "maintained": Kind(
        "What was old left the database, and its file was tidied.",
        "the storage",
        {
            "why": "`schedule` or `hand`",
            "what": "`run`, or `prune`: without tidying the file",
            "archived": "messages that went to the archive",
            "deleted": "messages that were deleted, from the archive or without coming there",
            "dead": "how many of those that left were dead letters",
            "unsent": "how many of them no exporter has sent: its receiver has been away for too long",
            "history": "rows of events, readings of the machine and the like that were deleted",
            "freed": "bytes by which the file has shrunk",
            "seconds": "how long it took, with all pauses",
        },
    ),
    "alert_fired": Kind(
        "Something counts as wrong, by a rule of the configuration.",
        _SUBJECT_OF_AN_ALERT,
        _OF_AN_ALERT
        | {
            "severity": "`info`, `warning` or `critical`",
            "summary": "what is wrong, for people",
            "value": "what was read; null where that is no number",
            "threshold": "the limit; likewise",
            "unit": "the unit of both",
        },
    ),
    "alert_reminded": Kind(
        "It goes on, and was told again; or for the first time, after a silence.",
        _SUBJECT_OF_AN_ALERT,
        _OF_AN_ALERT | {"summary": "what is wrong, for people"},
    ),
    "alert_cleared": Kind(
        "It is over.",
        _SUBJECT_OF_AN_ALERT,
        _OF_AN_ALERT | {"seconds": "for how long it was so"},
    ),
    "alert_acked": Kind(
        "Somebody knows of an alert: there are no more reminders of it.",
        "the alert's id",
        _BY | {"note": "what was said with it"},
    ),
    "alert_silenced": Kind(
        "For a time nobody is told of a rule, an agent, or both.",
        "the silence's id",
        _BY | {"reason": "why", "rule": "null: any", "agent": "null: any", "seconds": "for how long"},
    ),
    "alert_unsilenced": Kind("A silence was ended by hand.", "the silence's id", _BY),
    "replayed": Kind("A dead letter was put back into its queue by hand.", _MESSAGE, _OF_A_MESSAGE),
    "edited": Kind("A dead letter was given another payload by hand.", _MESSAGE, _OF_A_MESSAGE),
    "dropped": Kind(
        "A dead letter was deleted by hand.", _MESSAGE, _OF_A_MESSAGE | {"error": "the error that it had died of"}
    ),
}
"""The kinds that are recorded in the table ``events`` as they happen."""

CATALOGUE: dict[str, Kind] = DERIVED | RECORDED
MESSAGES = frozenset(DERIVED) - {"resized"}
"""The kinds that are read off messages."""
assert set(RECORDED) == set(get_args(RecordedKind))  # noqa: S101 - the type and the catalogue are one list


_PAGE = """\
# Events and metrics

Made from `squad/events.py` and `squad/metrics.py` by `python -m squad.events > docs/events.md`; do not edit it.

`squad events` shows what has happened, the newest last, and with `-f` what happens from now on; see
[commands](commands.md) for its filters and [JSON documents](json.md) for its form as JSON. Every event has a time, a
kind, a subject, and details, which depend on its kind. A detail that is not known is left out.

## Events of messages

They are not stored: they are read from the times of the messages themselves, and of their failed attempts and the
convoys' sizes. So what became of a message replaces what it was before. A message that was given back without an
attempt (its worker was stopped, it asked to be handled later) shows the hand-over that counted.

{derived}
## Events of the squad

They are rows of the table `events`, in the order in which they happened. What happens to processes is said again until
the storage has committed it, so a crash of the storage loses none of it and records none of it twice. A crash may lose
a `queue_warning` or a `schedule_missed` that was on its way, and one of the supervisor what was on its way from there.

{recorded}
## Metrics

What happens too often to be an event is counted or measured. [Metrics](metrics.md) says how long these figures are kept
and how to read them; agents may record more of their own. Those by agent have one series for each agent and convoy,
those by type one for each type of its messages as well. A `counter` adds up, a `gauge` is read now and then, and of a
`histogram` there are percentiles.

{metrics}"""


def page() -> str:
    """The catalogue as Markdown: ``docs/events.md``."""
    return _PAGE.format(derived=_table(DERIVED), recorded=_table(RECORDED), metrics=_metrics())


def _table(kinds: Mapping[str, Kind]) -> str:
    rows = [
        f"| `{name}` | {kind.meaning} | {kind.subject} | "
        + "; ".join(f"`{detail}`: {meaning}" for detail, meaning in kind.fields.items())
        + " |"
        for name, kind in kinds.items()
    ]
    return "\n".join(["| kind | meaning | subject | details |", "| --- | --- | --- | --- |", *rows, ""])


def _metrics() -> str:
    rows = [
        f"| `{name}` | {metric.kind} | {metric.unit} | {' and '.join(metric.labels) or 'none'} | {metric.meaning} |"
        for name, metric in METRICS.items()
    ]
    return "\n".join(["| metric | kind | unit | by | meaning |", "| --- | --- | --- | --- | --- |", *rows, ""])


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the page
