"""The sinks of alerts that act, as agents: each has a mailbox, a process, retries and dead letters of its own.

So one that fails holds up no other, and what becomes of an alert's message can be seen like that of any message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squad.config.alerts import AlertsConfig, SinkConfig
from squad.notices import ALERT

PREFIX = "notify-"
"""Their names are this and that of the sink."""

_SPARE = 30.0  # seconds beyond a sink's own time-out, after which its process is ended
_MOST = 10_000  # alerts that may wait for one


def agents_of(alerts: AlertsConfig) -> dict[str, dict[str, Any]]:
    """What the configuration of each says, by the agent's name. A sink that is an agent of the user's is not there."""
    if not alerts.enabled:
        return {}
    return {f"{PREFIX}{name}": _agent(sink) for name, sink in alerts.sinks.items() if sink.agent is None}


def recipient(name: str, sink: SinkConfig) -> str:
    """Who gets the messages for a sink."""
    return sink.agent or f"{PREFIX}{name}"


def notifiers_of(recipients: Mapping[str, str]) -> set[str]:
    """Of the recipients by sink, those that are agents of the sinks' own."""
    return {to for name, to in recipients.items() if to == f"{PREFIX}{name}"}


def _agent(sink: SinkConfig) -> dict[str, Any]:
    made: dict[str, Any] = {"retry": sink.retry, "queue": {"limit": _MOST, "when_full": "drop_oldest"}}
    if sink.command is not None:
        return made | {
            "command": sink.command,
            "handles": [ALERT],
            "environment": sink.environment,
            "timeout": sink.timeout,
        }
    made["timeout"] = sink.timeout + _SPARE
    options: dict[str, Any]
    if sink.webhook is not None:
        options = {"url": sink.webhook, "secret": sink.secret, "timeout": sink.timeout}
        return made | {"class_": "squad.actors.alerting.webhook:Webhook", "options": options}
    options = {"urls": list(sink.apprise or ()), "timeout": sink.timeout}
    return made | {"class_": "squad.actors.alerting.library:Library", "options": options}
