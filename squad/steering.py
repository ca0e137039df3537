"""What a client can put on hold, having the database tidied or the dashboard served, and why a message waits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from squad.durations import parse_duration
from squad.errors import UsageError
from squad.wire import encode


class Steering:
    """The part of ``squad.Client`` that steers a squad as a whole."""

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        raise NotImplementedError

    def pause(self, *names: str, reason: str = "", by: str = "") -> list[str]:
        """Give these agents and convoys (none named: all) no new message; what they handle goes on.

        Sends to them are still taken, and this outlives every restart. Returns those that were not paused before.
        """
        body = {"names": list(names), "reason": reason, "by": by}
        paused: list[str] = self._call("POST", "/v1/pause", encode(body))["paused"]
        return paused

    def resume(self, *names: str, by: str = "") -> list[str]:
        """End these pauses (none named: all). Returns those that were paused."""
        resumed: list[str] = self._call("POST", "/v1/resume", encode({"names": list(names), "by": by}))["resumed"]
        return resumed

    def freeze(self, *, grace: float | str | None = 5.0, reason: str = "", by: str = "") -> bool:
        """Stop all handling: nobody is given a new message. Sends are still taken, and this outlives every restart.

        Handlers that run have ``grace`` (seconds, or text such as ``"10s"``; None: as long as they need); then their
        processes are ended, and the messages go back into their queues, uncharged. False: it was frozen already.
        """
        try:
            seconds = None if grace is None else parse_duration(grace)
        except ValueError as error:
            raise UsageError(str(error)) from None
        body = {"grace": seconds, "reason": reason, "by": by}
        return not self._call("POST", "/v1/freeze", encode(body))["already"]

    def thaw(self, *, by: str = "") -> bool:
        """Let a frozen squad go on. False: it was not frozen."""
        return bool(self._call("POST", "/v1/thaw", encode({"by": by}))["thawed"])

    def holds(self) -> dict[str, Any]:
        """What is on hold: ``{"frozen": None or {"since", "by", "reason"}, "paused": [{"name", "since", …}]}``."""
        found = self._call("GET", "/v1/holds")
        return {"frozen": found["frozen"], "paused": found["paused"]}

    def maintain(self, *, prune: bool = False) -> dict[str, Any]:
        """Have the storage tidy its database now; with ``prune`` only have what is old leave it.

        ``{"began": when, "already": whether it was under way}``; it goes on by itself, and ``squad maintenance status``
        says what came of it.
        """
        done = self._call("POST", "/v1/maintenance", encode({"what": "prune" if prune else "run"}))
        return {"began": done["began"], "already": done["already"]}

    def dashboard(self) -> dict[str, Any]:
        """Have the dashboard served, on any free port of loopback unless the configuration says where.

        ``{"url", "writable"}``: where it is, and whether things can be changed there with a token.
        """
        opened = self._call("POST", "/v1/dashboard", b"{}")
        return {"url": opened["url"], "writable": opened["writable"]}

    def why(self, message_id: str) -> dict[str, Any]:
        """Why a message (full id) has not ended, as ``squad inspect --why -o json`` prints it."""
        return self._call("GET", f"/v1/messages/{quote(message_id, safe='', errors='replace')}/why")


def waits(holds: dict[str, Any], recipients: Collection[str]) -> str:
    """What to say to somebody who has sent to these while something is on hold; "" when they are not."""
    if holds["frozen"] is not None:
        return "the squad is frozen: what is sent waits until squad thaw"
    paused = [entry["name"] for entry in holds["paused"] if entry["name"] in recipients]
    if not paused:
        return ""
    verb = "is" if len(paused) == 1 else "are"
    return f"{', '.join(paused)} {verb} paused: what is sent waits until squad resume {' '.join(paused)}"
