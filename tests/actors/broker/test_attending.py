"""The broker's part: changes with their messages in one commit, and what people order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from squad.actors.protocol import Attend, Attended, Ready, Record
from squad.events import event
from squad.ids import new_id
from squad.store.incidents import Ack, Change, NewSilence, Order, Unsilence
from squad.store.rows import NewTask
from tests.actors.a_storage import Storage

Sql = Callable[..., list[Any]]


def fire(alert_id: str) -> Change:
    send = NewTask(new_id(), "monitor", "boss", "squad.alert", "{}")
    about = event("alert_fired", "a", rule="queue_depth", id=alert_id)
    return Change(
        "fire", alert_id, "queue_depth", "a", "warning", "many wait", 1, 1, "", about, told=True, sends=(send,)
    )


def carry_out(storage: Storage, order: Order) -> Attended:
    request = new_id()
    storage.put(Attend(request, order))
    return storage.post.until(
        lambda: next((m for m in storage.post.of("gateway", Attended) if m.request == request), None)
    )


def test_an_alert_reaches_its_sink_at_once_and_once(storage: Storage, sql: Sql) -> None:
    storage.put(Ready("boss", "boss.1", 10), "worker")
    alert = new_id()
    for _ in range(3):
        storage.put(Record(alerts=(fire(alert),)), "monitor")
    storage.put(Record(alerts=(fire(new_id()),)), "monitor")
    storage.post.until(lambda: storage.post.leases("worker"))
    assert carry_out(storage, Ack((alert,), "ann", "")).changed == (alert,)  # so all before it is done
    assert [lease.type for lease in storage.post.leases("worker")] == ["squad.alert"]
    assert sql("SELECT COUNT(*) FROM alerts") == [(1,)]
    assert sql("SELECT kind FROM events") == [("alert_fired",), ("alert_acked",)]


def test_orders_are_answered_and_recorded_once_and_what_is_wrong_changes_nothing(storage: Storage, sql: Sql) -> None:
    alert, silence = new_id(), new_id()
    storage.put(Record(alerts=(fire(alert),)), "monitor")
    order = NewSilence(silence, "queue_depth", None, 60, "ann", "known")
    assert carry_out(storage, order).changed == (silence,)
    assert carry_out(storage, order).changed == ()
    wrong = carry_out(storage, Ack((alert, new_id()), "ann", ""))
    assert wrong.error is not None
    assert sql("SELECT acked_at FROM alerts") == [(None,)]
    assert carry_out(storage, Unsilence((), "ann")).changed == (silence,)
    kinds = [kind for (kind,) in sql("SELECT kind FROM events")]
    assert kinds == ["alert_fired", "alert_silenced", "alert_unsilenced"]
