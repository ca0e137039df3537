"""What storage does with a Record: write it into the tables of history, once."""

from __future__ import annotations

import json

from squad.actors import logs
from squad.actors.broker.rules import Rules
from squad.actors.protocol import Record, RecordDone
from squad.errors import StoreError
from squad.events import BY_HAND, Event
from squad.store.backend import Backend
from squad.store.metrics.journal import Measured
from squad.store.metrics.summary import Summary

_KEY = "records"  # in the keeper table: the author of the last numbered record, and its number


def append(writer: Backend, record: Record, rules: Rules, now: float) -> RecordDone | None:
    """Write it, inside the transaction; the answer for its author, None for one that wants none.

    Numbered records are written in order and each once, however often they are said. One that comes before its
    predecessor is left: its author says both again.
    """
    if record.author:
        last = _last(writer, record.author)
        if record.number <= last:
            return RecordDone(record.number)
        if record.number > last + 1:
            return None
        writer.put([(_KEY, json.dumps({"author": record.author, "number": record.number}))], now)
    if record.events:
        writer.record_events(record.events, now)
        restarted = [rules.owner(event.subject) for event in record.events if _counts_as_restart(event)]
        writer.metrics.add([Measured("restarts", name, "", "counter", Summary.counted(1)) for name in restarted])
    if record.resizes:
        writer.record_resizes(record.resizes, now)
    if record.samples:
        writer.record_samples(record.samples, now)
    writer.metrics.add(record.metrics)
    sends = (*record.sends, *writer.incidents.change(record.alerts, now)) if record.alerts else record.sends
    if sends:
        try:
            writer.submit(sends, now)
        except StoreError as error:  # one of them cannot be stored; the database is well
            logs.logger("storage").error("an event is told to nobody: %s", error)
    if record.put:
        writer.put(record.put, now)
    return RecordDone(record.number) if record.author else None


def _counts_as_restart(event: Event) -> bool:
    return event.kind == "restarted" and json.loads(event.detail).get("reason") != BY_HAND


def _last(writer: Backend, author: str) -> int:
    kept = writer.get(_KEY)
    content = {} if kept is None else json.loads(kept)
    return int(content["number"]) if content.get("author") == author else 0
