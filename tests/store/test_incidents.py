"""Alerts in the store: each change has its effect once, with its event and its messages, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from squad.errors import RefusedError, UsageError
from squad.events import event
from squad.ids import new_id
from squad.store import alerts
from squad.store.database import open_reader
from squad.store.incidents import Ack, Change, NewSilence, Order, Unsilence
from squad.store.rows import NewTask
from squad.store.times import iso
from squad.store.writer import Writer

NOW = 1_780_000_000.0
DAY = 86_400.0


def change(action: str, alert_id: str, sends: tuple[NewTask, ...] = (), **fields: Any) -> Change:
    values = {"rule": "queue_depth", "agent": "a", "told": True, **fields}
    happened = event("alert_fired", "a", rule=values["rule"], id=alert_id)
    return Change(
        action,  # type: ignore[arg-type]
        alert_id,
        values.pop("rule"),
        values.pop("agent"),
        "warning",
        "many wait",
        101.0,
        100.0,
        "messages",
        happened,
        sends=sends,
        **values,
    )


@pytest.fixture
def made(writer: Writer) -> Callable[..., list[str]]:
    """Makes changes in a transaction; the ids of the messages that are to be stored with them."""

    def make(*changes: Change, now: float = NOW) -> list[str]:
        with writer.transaction():
            return [task.task_id for task in writer.incidents.change(changes, now)]

    return make


@pytest.fixture
def ordered(writer: Writer) -> Callable[..., tuple[str, ...]]:
    def order(what: Order, now: float = NOW) -> tuple[str, ...]:
        with writer.transaction():
            return writer.incidents.carry_out(what, now)

    return order


@pytest.fixture
def read(path: Path) -> Callable[..., Any]:
    def ask(question: Callable[..., Any], *arguments: Any) -> Any:
        with open_reader(path) as pool, pool.connection() as database:
            return question(database, *arguments)

    return ask


def test_of_a_rule_and_agent_one_incident_is_open_however_often_it_is_said(
    made: Any, read: Any, task: Callable[..., NewTask], sql: Any
) -> None:
    first, second = new_id(), new_id()
    send = task()
    assert made(change("fire", first, (send,))) == [send.task_id]
    assert made(change("fire", first, (send,)), change("fire", second, (task(),))) == []
    other = made(change("fire", second, agent="b"), change("fire", new_id(), rule="slow_task"))
    assert other == []
    assert next(one.alert_id for one in read(alerts.firing)) == first
    assert len(read(alerts.firing)) == 3
    assert len(sql("SELECT * FROM events")) == 3
    made(change("clear", first))
    assert made(change("fire", new_id(), (send,))) == [send.task_id]  # the next incident


def test_a_clear_and_a_reminder_have_their_effect_once(made: Any, read: Any, task: Callable[..., NewTask]) -> None:
    alert = new_id()
    made(change("fire", alert))
    send = task()
    assert made(change("remind", alert, (send,), reminders=0)) == [send.task_id]
    assert made(change("remind", alert, (send,), reminders=0)) == []
    (found,) = read(alerts.firing)
    assert (found.reminders, found.reminded_at, found.state) == (1, iso(NOW), "firing")
    assert made(change("clear", alert, (send,)), now=NOW + 5) == [send.task_id]
    assert made(change("clear", alert, (send,)), change("remind", alert, (send,), reminders=1)) == []
    (over,) = read(alerts.past)
    assert (over.state, over.cleared_at) == ("cleared", iso(NOW + 5))
    assert read(alerts.firing) == []


def test_what_is_stored_late_has_the_time_at_which_it_was_found_out(made: Any, read: Any) -> None:
    made(change("fire", new_id(), at=NOW - 600))
    assert read(alerts.firing)[0].fired_at == iso(NOW - 600)


def test_one_that_was_silenced_is_told_later_once(made: Any, read: Any, task: Callable[..., NewTask]) -> None:
    alert = new_id()
    made(change("fire", alert, told=False))
    assert read(alerts.firing)[0].told_at is None
    send = task()
    assert made(change("tell", alert, (send,)), now=NOW + 60) == [send.task_id]
    assert made(change("tell", alert, (send,))) == []
    assert read(alerts.firing)[0].told_at == iso(NOW + 60)


def test_an_acknowledgement_ends_reminders_and_is_kept(
    made: Any, ordered: Any, read: Any, task: Callable[..., NewTask]
) -> None:
    alert = new_id()
    made(change("fire", alert))
    assert ordered(Ack((alert,), "ann", "the disk is on order")) == (alert,)
    assert ordered(Ack((alert,), "ben", "")) == ()
    (found,) = read(alerts.firing)
    assert (found.state, found.acked_by, found.note) == ("acked", "ann", "the disk is on order")
    assert made(change("remind", alert, (task(),), reminders=0)) == []
    with pytest.raises(RefusedError, match="there is no alert"):
        ordered(Ack((alert, new_id()), "ann", ""))


def test_the_end_is_for_those_who_were_told_of_the_alarm(made: Any, task: Callable[..., NewTask]) -> None:
    silent, loud, late = new_id(), new_id(), new_id()
    made(
        change("fire", silent, told=False), change("fire", loud, agent="b"), change("fire", late, agent="c", told=False)
    )
    end, other = task(), task()
    assert made(change("clear", silent, (task(),))) == []
    assert made(change("clear", loud, (end,))) == [end.task_id]
    assert made(change("tell", late), change("clear", late, (other,))) == [other.task_id]  # not told before they came


def test_silences_last_for_their_time_or_until_they_are_ended(ordered: Any, read: Any) -> None:
    rule, agent, both = new_id(), new_id(), new_id()
    assert ordered(NewSilence(rule, "queue_depth", None, 60, "ann", "known")) == (rule,)
    assert ordered(NewSilence(rule, "queue_depth", None, 60, "ann", "known")) == ()
    ordered(NewSilence(agent, None, "a", DAY, "", ""))
    ordered(NewSilence(both, "slow_task", "b", DAY, "", ""))
    first, second, third = read(alerts.silences, NOW)
    assert first.covers("queue_depth", "x") and not first.covers("slow_task", "x")
    assert second.covers("whatever", "a") and not second.covers("whatever", "")
    assert third.covers("slow_task", "b") and not third.covers("slow_task", "a")
    assert [one.silence_id for one in read(alerts.silences, NOW + 61)] == [agent, both]
    assert ordered(Unsilence((agent,), "ann")) == (agent,)
    assert ordered(Unsilence((), "ann")) == (rule, both)
    assert read(alerts.silences, NOW) == []
    with pytest.raises(RefusedError, match="there is no silence"):
        ordered(Unsilence((new_id(),), ""))


def test_an_alert_is_found_by_a_part_of_its_id(made: Any, read: Any) -> None:
    first, second = new_id(), new_id()
    made(change("fire", first), change("fire", second, agent="b"))
    assert read(alerts.incident, first[-12:]).alert_id == first
    assert read(alerts.incident, second).agent == "b"
    with pytest.raises(UsageError, match="may be"):
        read(alerts.incident, first[:8])
    with pytest.raises(UsageError, match="there is no alert"):
        read(alerts.incident, new_id())
    for text in ("%", "ab", "queue_depth"):
        with pytest.raises(UsageError, match="is no alert's id"):
            read(alerts.incident, text)


def test_nothing_of_it_is_there_without_its_transaction(writer: Writer, read: Any) -> None:
    with pytest.raises(RuntimeError, match="only inside transaction"):
        writer.incidents.change([change("fire", new_id())], NOW)
    with pytest.raises(ZeroDivisionError), writer.transaction():
        writer.incidents.change([change("fire", new_id())], NOW)
        _ = 1 / 0
    assert read(alerts.firing) == []


def test_what_could_not_be_told_is_counted_by_sink(sql: Any, writer: Writer, read: Any) -> None:
    from tests.cli.a_store import Story

    story = Story(writer)
    for recipient, error in (("notify-ops", "first"), ("notify-ops", "last"), ("boss", "no")):
        story.failed(story.sent(recipient, "squad.alert"), error=error)
    story.failed(story.sent("notify-ops", "other"))
    found = read(alerts.undelivered)
    assert [(one.agent, one.messages, one.error) for one in found] == [("boss", 1, "no"), ("notify-ops", 2, "last")]
