"""What a client can do about alerts."""

from __future__ import annotations

from typing import Any

from squad.durations import parse_duration
from squad.errors import UsageError
from squad.ids import new_id
from squad.wire import encode


class Attending:
    """The part of ``squad.Client`` about alerts. They are read from the store: ``squad alerts list -o json``."""

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        raise NotImplementedError

    def ack_alerts(self, *ids: str, note: str = "", by: str = "") -> list[str]:
        """Say that somebody knows of these (full ids): there are no more reminders. Those that were not yet."""
        body = {"ids": list(ids), "note": note, "by": by}
        acked: list[str] = self._call("POST", "/v1/alerts/ack", encode(body))["acked"]
        return acked

    def silence_alerts(
        self, span: float | str, *, rule: str | None = None, agent: str | None = None, reason: str = "", by: str = ""
    ) -> dict[str, Any]:
        """Have no sink told of a rule, an agent, or a rule of an agent for ``span``: seconds, or text such as ``"2h"``.

        ``{"id", "rule", "agent", "until"}``. What goes on when it is over is told then.
        """
        try:
            seconds = parse_duration(span)
        except ValueError as error:
            raise UsageError(str(error)) from None
        body = {"id": new_id(), "rule": rule, "agent": agent, "seconds": seconds, "reason": reason, "by": by}
        return self._call("POST", "/v1/alerts/silence", encode(body))

    def unsilence_alerts(self, *ids: str, by: str = "") -> list[str]:
        """End these silences (none named: all); those that were in force."""
        ended: list[str] = self._call("POST", "/v1/alerts/unsilence", encode({"ids": list(ids), "by": by}))["ended"]
        return ended

    def test_sink(self, sink: str) -> str:
        """Send a sink a test; the id of its message."""
        return str(self._call("POST", "/v1/alerts/test", encode({"sink": sink, "id": new_id()}))["id"])
