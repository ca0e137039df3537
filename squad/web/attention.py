"""How the squad is, in words: whether it is well, and what needs somebody's attention, the worst first.

Pure: made from the rows of the tree and the numbers of the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from squad.alerts import next_command
from squad.durations import format_duration
from squad.store.holds import said
from squad.store.standing import Standing
from squad.web.wording import plural, state_tone

Row = Mapping[str, Any]
Tone = Literal["good", "warn", "bad", "calm"]

_LONG = 60.0  # seconds that a message may wait, ready, before it is worth a look
_OF_FAILURES = {"failed_tasks", "failure_rate"}  # alerts
_RANK = {"bad": 0, "warn": 1, "calm": 2}


@dataclass(frozen=True, slots=True)
class Item:
    """Something to look at. ``key`` tells it from the others; ``href`` leads there; ``command`` is what may help."""

    key: str
    tone: Tone
    text: str
    href: str
    detail: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``word`` is one of a few; ``text`` says the same as a sentence, ``detail`` what goes on."""

    tone: Tone
    word: str
    text: str
    detail: str


def items(actors: Sequence[Row], standing: Standing, silent: str, now: float) -> list[Item]:
    """What needs attention. ``silent``: why the tree is not live, "" if it is; ``now``: seconds since the epoch."""
    found: list[Item] = []
    if silent:
        found.append(Item("silent", "bad", "The squad does not answer", "/", silent, "squad inspect"))
    if (frozen := standing.holds.frozen) is not None:
        found.append(
            Item("frozen", "warn", "The squad is frozen: nobody is given a message", "/", said(frozen), "squad thaw")
        )
    told = {(alert.rule, alert.agent) for alert in standing.firing}  # by an alert, so not once more
    for alert in standing.firing:
        if alert.acked_at is None:
            tone: Tone = "bad" if alert.severity == "critical" else "warn"
            command = next_command(alert.rule, alert.agent)
            found.append(Item(f"alert-{alert.alert_id}", tone, alert.summary, "/alerts", "", command))
    found += _actors(actors)
    for name, pause in standing.holds.paused.items():
        found.append(
            Item(f"paused-{name}", "warn", f"{name} is paused", _agent(name), said(pause), f"squad resume {name}")
        )
    found += (item for name, item in _waiting(standing, now) if ("queue_depth", name) not in told)
    if standing.died_last_hour and not {rule for rule, _ in told} & _OF_FAILURES:
        letters = plural(standing.died_last_hour, "message")
        found.append(Item("dead", "warn", f"{letters} failed in the last hour", "/dead?died=1h"))
    if standing.sample is not None and standing.sample.throttle_seconds > 0:
        pause_ = format_duration(standing.sample.throttle_seconds)
        text = f"The machine is overloaded: {pause_} lie between two hand-outs"
        found.append(Item("overloaded", "warn", text, "/resources"))
    return sorted(found, key=lambda item: _RANK[item.tone])


def _actors(actors: Iterable[Row]) -> Iterator[Item]:
    for row in actors:
        tone = state_tone(row["state"])
        if tone not in ("bad", "warn") or row["state"] == "throttled" or (row["kind"] == "convoy" and tone == "warn"):
            continue
        if row["kind"] == "worker" and row["state"] == "draining":
            continue  # its convoy shrinks
        command = f"squad restart {row['name']}" if row["state"] == "quarantined" else ""
        error = str(row["last_error"] or "").partition("\n")[0]
        yield Item(
            f"state-{row['name']}",
            "bad" if tone == "bad" else "warn",
            f"{row['name']} is {row['state']}",
            _agent(row["name"]),
            error,
            command,
        )


def _waiting(standing: Standing, now: float) -> Iterator[tuple[str, Item]]:
    """By recipient."""
    for name, since in standing.first.items():
        if standing.holds.hold(name):
            continue
        waited = now - datetime.fromisoformat(since).timestamp()
        if waited > _LONG:
            depth = standing.depths[name].queued
            text = f"{plural(depth, 'message')} {'waits' if depth == 1 else 'wait'} for {name}"
            since_ = f"the next one has for {format_duration(int(waited))}"
            yield name, Item(f"queue-{name}", "warn", text, "/queues", since_)


def verdict(actors: Sequence[Row], standing: Standing, found: Sequence[Item]) -> Verdict:
    """In a word, a sentence, and what goes on."""
    agents = [row for row in actors if row["kind"] in ("agent", "worker")]
    working = sum(_works(row, standing) for row in agents)
    detail = (
        f"{working} of {plural(len(agents), 'agent')} at work, "
        f"{plural(round(standing.ended_per_minute), 'message')} done in the last minute, "
        f"{plural(standing.totals['queued'], 'message')} waiting."
    )
    if any(item.key == "silent" for item in found):
        return Verdict("bad", "silent", "The squad does not answer.", "What is shown is the last that was known.")
    if standing.holds.frozen is not None:
        return Verdict("warn", "frozen", "The squad is frozen.", detail)
    bad = sum(item.tone == "bad" for item in found)
    if bad:
        return Verdict("bad", "in trouble", f"{_things(bad).capitalize()} wrong.", detail)
    if found:
        who = "All" if working == len(agents) else f"{working} of {len(agents)}"
        text = f"{who} agents work. {_things(len(found)).capitalize()} worth a look."
        return Verdict("warn", "worth a look", text, detail)
    return Verdict("good", "well", "All is well.", detail)


def _works(row: Row, standing: Standing) -> bool:
    """A worker is paused with its convoy, and has no pause of its own."""
    held = standing.holds.hold(row["parent"] if row["kind"] == "worker" else row["name"])
    return not held and (state_tone(row["state"]) == "good" or row["state"] == "throttled")


def _things(number: int) -> str:
    return "one thing is" if number == 1 else f"{number} things are"


def _agent(name: str) -> str:
    return f"/agents/{quote(name, safe='')}"
