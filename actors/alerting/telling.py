"""From decisions to changes of the store, with their events and the messages to the sinks. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from squad.actors.alerting.rules import Verdict
from squad.actors.alerting.tracking import Decision
from squad.alerts import State, at_least, next_command
from squad.config.schema import SquadConfig
from squad.config.sinks import recipient
from squad.durations import format_duration
from squad.events import Event, event
from squad.ids import derived_id, new_id
from squad.notices import ALERT
from squad.store.alerts import Incident
from squad.store.incidents import Change
from squad.store.rows import NewTask
from squad.store.times import iso, seconds

_STATES: dict[str, State] = {"fire": "fired", "tell": "fired", "remind": "reminded", "clear": "cleared"}
_PRIORITY = {"critical": 1, "warning": 3, "info": 5}
SENDER = "monitor"


class Teller:
    """For one configuration."""

    def __init__(self, config: SquadConfig) -> None:
        self._squad = config.name
        self._sinks = config.alerts.sinks if config.alerts.enabled else {}

    def change(self, decision: Decision, silenced: bool, now: float) -> Change:
        """What the store has to write. ``silenced``: no sink is told. The end is told all the same, for a silence keeps
        alarms away and not their end; the store sees to it that only those hear of it who were told of the alarm.
        """
        verdict, incident = decision.verdict, decision.incident
        rule, agent = decision.key
        told = not silenced or decision.action == "clear"
        if incident is None:
            assert verdict is not None  # noqa: S101 - a fire has one
            incident = _new(verdict, now)
        summary = _clean(verdict.summary) if verdict is not None and verdict.bad else incident.summary
        if decision.action == "clear":
            lasted = format_duration(max(0.0, now - seconds(incident.fired_at)))
            summary = f"over after {lasted}: {incident.summary}"
        sends = tuple(self._sends(decision, incident, summary, now)) if told else ()
        return Change(
            decision.action,
            incident.alert_id,
            rule,
            agent,
            incident.severity,
            summary,
            incident.value,
            incident.threshold,
            incident.unit,
            self._event(decision, incident, summary, now),
            told,
            incident.reminders,
            sends,
            now,
        )

    def _event(self, decision: Decision, incident: Incident, summary: str, now: float) -> Event:
        about, rule, alert_id = decision.key[1] or self._squad, incident.rule, incident.alert_id
        match decision.action:
            case "fire":
                return event(
                    "alert_fired",
                    about,
                    rule=rule,
                    id=alert_id,
                    severity=incident.severity,
                    summary=summary,
                    value=incident.value,
                    threshold=incident.threshold,
                    unit=incident.unit,
                )
            case "clear":
                lasted = round(max(0.0, now - seconds(incident.fired_at)), 3)
                return event("alert_cleared", about, rule=rule, id=alert_id, seconds=lasted)
            case _:
                return event("alert_reminded", about, rule=rule, id=alert_id, summary=summary)

    def _sends(self, decision: Decision, incident: Incident, summary: str, now: float) -> Iterator[NewTask]:
        """To each sink by itself; not to the agent that the alert is about, which may not be able to hear it."""
        state = _STATES[decision.action]
        payload = json.dumps(
            {
                "id": incident.alert_id,
                "rule": incident.rule,
                "state": state,
                "severity": incident.severity,
                "squad": self._squad,
                "agent": incident.agent or None,
                "summary": summary,
                "value": incident.value,
                "threshold": incident.threshold,
                "unit": incident.unit,
                "fired_at": incident.fired_at,
                "at": iso(now),
                "todo": next_command(incident.rule, incident.agent),
            }
        )
        for name, sink in self._sinks.items():
            wanted = state in sink.tell and (not sink.rules or incident.rule in sink.rules)
            to = recipient(name, sink)
            if wanted and at_least(incident.severity, sink.severity) and to != incident.agent:
                task_id = derived_id(now, f"alert {incident.alert_id} {state} {incident.reminders} {name}")
                yield NewTask(task_id, SENDER, to, ALERT, payload, priority=_PRIORITY[incident.severity])


def _new(verdict: Verdict, now: float) -> Incident:
    rule, agent = verdict.key
    return Incident(
        alert_id=new_id(),
        rule=rule,
        agent=agent,
        severity=verdict.severity,
        summary=_clean(verdict.summary),
        value=None if verdict.value is None else round(float(verdict.value), 3),
        threshold=None if verdict.threshold is None else float(verdict.threshold),
        unit=verdict.unit,
        fired_at=iso(now),
        told_at=None,
        reminded_at=None,
        reminders=0,
        acked_at=None,
        acked_by=None,
        note=None,
        cleared_at=None,
    )


def _clean(text: str) -> str:
    """A line that can be stored and sent: it may come from an exception of the user's."""
    line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return line if len(line) <= 500 else f"{line[:499]}…"
