"""Writing what has become of incidents and silences.

A change is said again by whoever has not seen its effect. It takes effect once, however often it is said: at most one
incident of a rule and agent is open, and every other change names what it is made on top of.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from squad.errors import RefusedError
from squad.events import Event
from squad.store.recording import record_events
from squad.store.rows import NewTask
from squad.store.session import Session
from squad.store.times import iso


class Change(NamedTuple):
    """What the monitor has found out about an incident; ``event`` and ``sends`` take effect only with it.

    ``told``: the sinks are told of it. The ``sends`` of a clear are for those who were told that it fires: there are
    none when nobody was. ``reminders``: how many there were before this one.
    """

    action: Literal["fire", "tell", "remind", "clear"]
    alert_id: str
    rule: str
    agent: str
    severity: str
    summary: str
    value: float | None
    threshold: float | None
    unit: str
    event: Event
    told: bool = False
    reminders: int = 0
    sends: tuple[NewTask, ...] = ()
    at: float | None = None  # when it was found out, seconds since the epoch; None: now


class Ack(NamedTuple):
    """Somebody knows of these incidents, and needs no reminder."""

    ids: tuple[str, ...]
    by: str
    note: str


class NewSilence(NamedTuple):
    """Tell no sink of this, from now for ``seconds``. None: any rule, any agent."""

    silence_id: str
    rule: str | None
    agent: str | None
    seconds: float
    by: str
    reason: str


class Unsilence(NamedTuple):
    """End these silences; none named: all."""

    ids: tuple[str, ...]
    by: str


Order = Ack | NewSilence | Unsilence

_FIRE = """
    INSERT INTO alerts (alert_id, rule, agent, severity, summary, value, threshold, unit, fired_at, told_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_TELL = "UPDATE alerts SET told_at = ? WHERE alert_id = ? AND told_at IS NULL AND cleared_at IS NULL"
_REMIND = """
    UPDATE alerts SET reminded_at = ?, reminders = reminders + 1
    WHERE alert_id = ? AND reminders = ? AND cleared_at IS NULL AND acked_at IS NULL
"""
_CLEAR = "UPDATE alerts SET cleared_at = ? WHERE alert_id = ? AND cleared_at IS NULL"
_TOLD = "SELECT told_at IS NOT NULL FROM alerts WHERE alert_id = ?"
_ACK = """
    UPDATE alerts SET acked_at = ?, acked_by = ?, note = ?
    WHERE alert_id = ? AND acked_at IS NULL AND cleared_at IS NULL
"""
_SILENCE = """
    INSERT INTO alert_silences (silence_id, rule, agent, since, until, by, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
_ACTIVE = "SELECT silence_id FROM alert_silences WHERE until > ? AND ended_at IS NULL ORDER BY id"
_END = "UPDATE alert_silences SET ended_at = ? WHERE silence_id = ? AND ended_at IS NULL AND until > ?"


class Incidents:
    """The Writer's part about alerts. Only inside its transactions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def change(self, changes: Sequence[Change], now: float) -> list[NewTask]:
        """Write those that have an effect, each with its event; the messages that are to be stored with them."""
        execute = self._execute()
        sends: list[NewTask] = []
        for made in changes:
            at = iso(now if made.at is None else made.at)
            match made.action:
                case "fire":
                    done = execute(_FIRE, (*made[1:9], at, at if made.told else None))
                case "tell":
                    done = execute(_TELL, (at, made.alert_id))
                case "remind":
                    done = execute(_REMIND, (at, made.alert_id, made.reminders))
                case "clear":
                    done = execute(_CLEAR, (at, made.alert_id))
            if done.rowcount == 1:
                record_events(self._session, (made.event,), now)
                if made.action != "clear" or execute(_TOLD, (made.alert_id,)).fetchone()[0]:
                    sends += made.sends
        return sends

    def carry_out(self, order: Order, now: float) -> tuple[str, ...]:
        """The ids of the incidents or silences for which it made a difference. Done twice it is as if done once.

        Raises RefusedError for ids that there are not; nothing is done then.
        """
        execute, at = self._execute(), iso(now)
        if isinstance(order, NewSilence):
            until = iso(now + order.seconds)
            row = (order.silence_id, order.rule, order.agent, at, until, order.by or None, order.reason or None)
            return (order.silence_id,) if execute(_SILENCE, row).rowcount == 1 else ()
        if isinstance(order, Ack):
            self._must_exist("SELECT 1 FROM alerts WHERE alert_id = ?", order.ids, "alert")
            given = (order.by or None, order.note or None)
            return tuple(one for one in order.ids if execute(_ACK, (at, *given, one)).rowcount == 1)
        self._must_exist("SELECT 1 FROM alert_silences WHERE silence_id = ?", order.ids, "silence")
        ids = order.ids or tuple(row[0] for row in execute(_ACTIVE, (at,)).fetchall())
        return tuple(one for one in ids if execute(_END, (at, one, at)).rowcount == 1)

    def _must_exist(self, sql: str, ids: Iterable[str], kind: str) -> None:
        for one in ids:
            if self._session.connection.execute(sql, (one,)).fetchone() is None:
                raise RefusedError(f"there is no {kind} {one}", hint="squad alerts list --all")

    def _execute(self) -> Callable[..., sqlite3.Cursor]:
        if not self._session.connection.in_transaction:
            raise RuntimeError("only inside transaction()")
        return self._session.connection.execute
