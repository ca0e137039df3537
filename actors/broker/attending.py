"""The broker's part in acknowledging and silencing alerts."""

from __future__ import annotations

from squad.actors.protocol import Attend, Attended
from squad.errors import SquadError
from squad.events import Event, event
from squad.store.backend import Backend
from squad.store.incidents import Ack, NewSilence, Order


def attend(writer: Backend, msg: Attend, now: float) -> Attended:
    """In a transaction: do what is asked, or nothing of it."""
    try:
        with writer.savepoint():
            changed = writer.incidents.carry_out(msg.order, now)
            writer.record_events([_event(msg.order, one) for one in changed], now)
    except SquadError as error:
        return Attended(msg.request, error=error)
    return Attended(msg.request, changed)


def _event(order: Order, one: str) -> Event:
    if isinstance(order, Ack):
        return event("alert_acked", one, by=order.by, note=order.note)
    if isinstance(order, NewSilence):
        return event(
            "alert_silenced",
            one,
            by=order.by,
            reason=order.reason,
            rule=order.rule,
            agent=order.agent,
            seconds=order.seconds,
        )
    return event("alert_unsilenced", one, by=order.by)
