"""What a handler may say about a message that it sends: times, expiry, replies."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest

from squad.actors.agents.context import Context
from squad.errors import RefusedError
from squad.messages import message, type_of
from squad.store.rows import Lease, NewTask


@message("note")
class Note:
    n: int = 0


class Now:
    """A clock that stands."""

    def time(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)


NOW = Now().time()


def send(recipient: str = "other", message: Any = None, **options: Any) -> NewTask:
    ctx = Context(
        agent="me",
        lease=Lease(1, 1, "the-message", "cli", "note", "{}", 5, 1, "the-root"),
        home=Path(),
        log=logging.getLogger("test"),
        recipients={"me": frozenset({"note", "squad.reply"}), "other": frozenset({"note"})},
        rate=None,
        state=None,
        cancelled=threading.Event(),
        max_payload=1000,
        clock=Now(),  # type: ignore[arg-type]
        find_type=lambda recipient, name: type_of(Note),
    )
    ctx.send(recipient, message or Note(), **options)
    (task,) = ctx.sends
    return task


@pytest.mark.parametrize(
    ("options", "not_before", "expires_at"),
    [
        ({}, None, None),
        ({"delay": "1m"}, NOW + 60, None),
        ({"at": NOW + 90}, NOW + 90, None),
        ({"at": datetime.fromtimestamp(NOW, UTC) + timedelta(hours=1)}, NOW + 3600, None),
        ({"at": "2027-01-15T09:00:00+01:00"}, NOW, None),
        ({"ttl": 30}, None, NOW + 30),
        ({"ttl": "30s", "delay": 10}, NOW + 10, NOW + 40),
        ({"ttl": "30s", "at": NOW + 90}, NOW + 90, NOW + 120),
        ({"ttl": 30, "at": NOW - 5}, NOW - 5, NOW + 30),
    ],
)
def test_times(options: dict[str, Any], not_before: float | None, expires_at: float | None) -> None:
    task = send(**options)
    assert (task.not_before, task.expires_at) == (not_before, expires_at)
    assert (task.parent_id, task.root_id) == ("the-message", "the-root")


@pytest.mark.parametrize(
    ("options", "reply_to", "timeout"),
    [
        ({"reply_to": True}, "me", None),
        ({"reply_to": "me", "reply_timeout": "1m"}, "me", 60.0),
        ({"reply_to": False}, None, None),
        ({"reply_to": None}, None, None),
    ],
)
def test_replies(options: dict[str, Any], reply_to: str | None, timeout: float | None) -> None:
    task = send(**options)
    assert (task.reply_to, task.reply_timeout) == (reply_to, timeout)


class Word(StrEnum):
    OTHER = "other"
    NOTE = "note"
    KEY = "once"
    ME = "me"


class Classic(str, Enum):  # noqa: UP042 - as it was written before there was StrEnum
    OTHER = "other"


class Urgency(IntEnum):
    HIGH = 2


@pytest.mark.parametrize("recipient", [Word.OTHER, Classic.OTHER])
def test_members_of_enumerations_are_sent_as_what_they_stand_for(recipient: str) -> None:
    task = send(recipient, message=Word.NOTE, priority=Urgency.HIGH, key=Word.KEY, reply_to=Word.ME)
    said = (task.recipient, task.type, task.priority, task.key, task.reply_to)
    assert said == ("other", "note", 2, "once", "me")
    assert [type(value) for value in said] == [str, str, int, str, str]  # storage has no other classes


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ({"at": NOW + 1, "delay": 1}, ["at: cannot be given together with delay"]),
        ({"at": NOW - 60}, [f"at: '{NOW - 60}' has passed already"]),
        ({"at": "2027-01-15T09:00:00"}, ["at: '2027-01-15T09:00:00' has no time zone"]),
        ({"delay": "soon"}, ["delay: 'soon' is not a duration"]),
        ({"ttl": {}}, ["ttl: {} is not a duration"]),
        ({"ttl": 0}, ["ttl: must be more than 0"]),
        ({"ttl": -1}, ["ttl: -1 is not a duration"]),
        ({"reply_to": "mee"}, ["reply_to: no agent is called 'mee' (did you mean 'me'?)"]),
        (
            {"reply_to": "other"},
            ["reply_to: other does not handle 'squad.reply' (give it a method with @handles(Reply)"],
        ),
        ({"reply_timeout": 5}, ["reply_timeout: means nothing without reply_to"]),
        ({"reply_to": True, "reply_timeout": 0}, ["reply_timeout: must be more than 0"]),
        ({"at": "x", "ttl": "y", "reply_to": "z"}, ["at: 'x' is no time", "ttl: 'y' is not", "reply_to: no agent"]),
    ],
)
def test_every_mistake_is_named(options: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(RefusedError) as caught:
        send(**options)
    found = [str(problem) for problem in caught.value.problems]
    assert len(found) == len(problems)
    for text, expected in zip(found, problems, strict=True):
        assert text.startswith(expected)
